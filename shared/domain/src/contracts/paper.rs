//! From what somebody wrote down to clauses that one can bill by.

use rust_decimal::{Decimal, prelude::ToPrimitive};

use super::{
    AfterHoursClause, BilledBy, DiscountClause, LateClause, Pricing, Provisions, Rate, RetainerClause,
    TaxClause, TaxKind, Windows, WindowsError,
};
use crate::{
    Currency, Money, SalesforceId,
    billing::{
        AfterHours, Block, Cap, CardRate, Clauses, Criteria, Discount, DiscountOn, DiscountSize, FigureError,
        Increment, LateFee, LeastTime, LeastTimeError, Markup, Mode, NotPositive, Percent, PositiveMoney,
        RateCard, Rates, RatesError, Retainer, RollOver, RollOverError, RollOverMonths, Span, SpanError,
        Taxes, Terms, TermsError, Tier, Tiers, Treatment, UnitPrice, UnknownZone, VolumeStep,
        VolumeStepsError,
    },
    money::MoneyError,
};

/// Why one cannot bill by what a field says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// It is empty, and something else needs it.
    #[error("it is empty")]
    Missing,
    /// It is filled in, and nothing that it could be for is agreed.
    #[error("it does not go together with the rest of the contract")]
    Unwanted,
    /// A figure out of its bounds.
    #[error(transparent)]
    Figure(#[from] FigureError),
    /// An amount of nothing, or less.
    #[error(transparent)]
    NotPositive(#[from] NotPositive),
    /// An amount below zero.
    #[error("the amount is below zero")]
    Negative,
    /// An amount that is none.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// Hours that are no whole minutes.
    #[error("the hours must be whole minutes: 0.05 are three of them")]
    PartOfMinute,
    /// A number that is not whole.
    #[error("it must be a whole number")]
    NotWhole,
    /// More or less time than a contract speaks of.
    #[error(transparent)]
    Span(#[from] SpanError),
    /// More least time than a day.
    #[error(transparent)]
    Least(#[from] LeastTimeError),
    /// More months than hours stay.
    #[error(transparent)]
    RollOver(#[from] RollOverError),
    /// Steps of a discount that are none.
    #[error(transparent)]
    Steps(#[from] VolumeStepsError),
    /// Rates that do not fit together.
    #[error(transparent)]
    Rates(#[from] RatesError),
    /// Times that are none.
    #[error(transparent)]
    Windows(#[from] WindowsError),
    /// A time zone that nobody knows.
    #[error(transparent)]
    Zone(#[from] UnknownZone),
    /// The day is before the one on which it begins.
    #[error("it ends before it begins")]
    Ended,
    /// What bills are for changes within a month, so part of it would be on no bill or on two.
    #[error("what bills are for can change on the first day of a month only")]
    WithinMonth,
    /// Another version of the contract begins on that day.
    #[error("another version of the contract begins on the same day")]
    SameDay,
    /// An amendment says something else than the contract where it must not.
    #[error("it must be the same as in the contract that is amended")]
    Differs,
}

/// A field of a record, by the name that it has on the page: what an error is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field(pub(super) SalesforceId, pub(super) &'static str);

impl Field {
    pub(super) fn wrong(self, why: impl Into<FieldError>) -> TermsError {
        TermsError::Field { record: self.0, field: self.1, why: why.into() }
    }

    /// What is filled in, read; nothing if it is empty.
    fn read<T, U>(
        self,
        value: Option<T>,
        read: impl FnOnce(T) -> Result<U, FieldError>,
    ) -> Result<Option<U>, TermsError> {
        value.map(read).transpose().map_err(|why| self.wrong(why))
    }

    /// As [`Field::read`], of what must not be empty.
    fn needed<T, U>(
        self,
        value: Option<T>,
        read: impl FnOnce(T) -> Result<U, FieldError>,
    ) -> Result<U, TermsError> {
        self.read(value, read)?.ok_or_else(|| self.wrong(FieldError::Missing))
    }
}

/// A figure within its bounds.
fn figure<T: TryFrom<Decimal, Error = FigureError>>(value: Decimal) -> Result<T, FieldError> {
    Ok(T::try_from(value)?)
}

pub(super) fn positive(amount: Decimal, currency: Currency) -> Result<PositiveMoney, FieldError> {
    Ok(Money::exact(amount, currency)?.try_into()?)
}

pub(super) fn not_negative(amount: Decimal, currency: Currency) -> Result<Money, FieldError> {
    let money = Money::exact(amount, currency)?;
    if money.minor() < 0 { Err(FieldError::Negative) } else { Ok(money) }
}

pub(super) fn span(hours: Decimal) -> Result<Span, FieldError> {
    let minutes = hours.checked_mul(Decimal::from(60)).filter(Decimal::is_integer);
    Ok(minutes.ok_or(FieldError::PartOfMinute)?.to_u32().ok_or(SpanError)?.try_into()?)
}

fn least(minutes: Decimal) -> Result<LeastTime, FieldError> {
    let whole = Some(minutes).filter(Decimal::is_integer).ok_or(FieldError::NotWhole)?;
    Ok(whole.to_u16().ok_or(LeastTimeError)?.try_into()?)
}

fn months(months: Decimal) -> Result<RollOverMonths, FieldError> {
    let whole = Some(months).filter(Decimal::is_integer).ok_or(FieldError::NotWhole)?;
    Ok(whole.to_u8().ok_or(RollOverError)?.try_into()?)
}

/// What one record, the contract or an amendment of it, says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paper<'c> {
    pub(super) record: SalesforceId,
    pub(super) currency: Currency,
    pub(super) time_zone: &'c str,
    pub(super) hourly_rate: Option<Decimal>,
    pub(super) tax_percent: Option<Decimal>,
    pub(super) payment_terms_days: u16,
    pub(super) purchase_order: Option<&'c str>,
    pub(super) rates: &'c [Rate],
    pub(super) provisions: &'c Provisions,
}

impl Paper<'_> {
    /// What it comes to, with the contract's blocks of hours.
    pub(super) fn terms(&self, blocks: &[Block]) -> Result<Terms, TermsError> {
        let provisions = self.provisions;
        let increment = provisions.increment;
        let usual = Increment::AS_LOGGED;
        Terms::try_from(Clauses {
            currency: self.currency,
            zone: self.field("Time Zone").needed(Some(self.time_zone), |zone| Ok(zone.parse()?))?,
            mode: self.mode()?,
            rates: self.rates()?,
            after_hours: self.after_hours(&provisions.after_hours)?,
            increment: Increment {
                step: increment.step.unwrap_or(usual.step),
                rounding: increment.rounding.unwrap_or(usual.rounding),
                together: increment.together.unwrap_or(usual.together),
                least: self.field("Least Minutes").read(increment.least, least)?.unwrap_or_default(),
            },
            hours: provisions.hours,
            blocks: blocks.to_vec(),
            markup: self
                .field("Markup Percent")
                .needed(provisions.markup.or(Some(Decimal::ZERO)), figure::<Markup>)?,
            discounts: self.discounts(&provisions.discounts)?,
            minimum_charge: self.amount("Minimum Charge", provisions.minimum_charge)?,
            cap: self.cap()?,
            taxes: self.taxes()?,
            payment_terms_days: self.payment_terms_days,
            purchase_order: self.purchase_order.map(str::to_owned),
            late_fee: self.late_fee(provisions.late)?,
        })
    }

    fn field(&self, name: &'static str) -> Field {
        Field(self.record, name)
    }

    fn amount(
        &self,
        name: &'static str,
        amount: Option<Decimal>,
    ) -> Result<Option<PositiveMoney>, TermsError> {
        self.field(name).read(amount, |amount| positive(amount, self.currency))
    }

    fn mode(&self) -> Result<Mode, TermsError> {
        let retainer = self.retainer(self.provisions.retainer)?;
        match (self.provisions.billed_by, retainer) {
            (BilledBy::Month, retainer) => Ok(Mode::Period { retainer }),
            (BilledBy::Case, None) => Ok(Mode::Case),
            (BilledBy::Case, Some(_)) => Err(self.field("Retainer Hours").wrong(FieldError::Unwanted)),
        }
    }

    fn retainer(&self, clause: RetainerClause) -> Result<Option<Retainer>, TermsError> {
        if clause == RetainerClause::default() {
            return Ok(None);
        }
        let rolls_over = clause.roll_over_hours.is_some() || clause.roll_over_months.is_some();
        let roll_over = || -> Result<RollOver, TermsError> {
            Ok(RollOver {
                most: self.field("Roll Over Hours").needed(clause.roll_over_hours, span)?,
                months: self.field("Roll Over Months").needed(clause.roll_over_months, months)?,
            })
        };
        Ok(Some(Retainer {
            fee: self.field("Retainer Fee").needed(clause.fee, |fee| not_negative(fee, self.currency))?,
            included: self.field("Retainer Hours").needed(clause.hours, span)?,
            overage: self.field("Overage Rate").read(clause.overage, figure::<UnitPrice>)?,
            roll_over: rolls_over.then(roll_over).transpose()?,
        }))
    }

    fn rates(&self) -> Result<Rates, TermsError> {
        let standard = || self.field("Hourly Rate").needed(self.hourly_rate, figure::<UnitPrice>);
        let wrong = |why: RatesError| self.field("Pricing").wrong(why);
        match self.provisions.pricing {
            Pricing::Card => {
                let rates = self.rates.iter().map(Rate::of_card).collect::<Result<_, _>>()?;
                Ok(Rates::Card(RateCard::new(standard()?, rates).map_err(wrong)?))
            }
            Pricing::Graduated => Ok(Rates::Graduated(self.tiers(standard()?)?)),
            Pricing::Volume => Ok(Rates::Volume(self.tiers(standard()?)?)),
            Pricing::FixedFees => Ok(Rates::FixedFees),
        }
    }

    fn tiers(&self, first: UnitPrice) -> Result<Tiers, TermsError> {
        let mut further = self.rates.iter().map(Rate::tier).collect::<Result<Vec<Tier>, _>>()?;
        further.sort_by_key(|tier| tier.above);
        Tiers::new(first, further).map_err(|why| self.field("Pricing").wrong(why))
    }

    fn after_hours(&self, clause: &AfterHoursClause) -> Result<Option<AfterHours>, TermsError> {
        if *clause == AfterHoursClause::default() {
            return Ok(None);
        }
        let factor = self.field("After Hours Factor").needed(clause.factor, figure)?;
        let times = self.field("After Hours");
        let windows: Windows =
            times.needed(Some(clause.windows.as_deref().unwrap_or_default()), |text| Ok(text.parse()?))?;
        AfterHours::new(factor, windows.into()).map(Some).map_err(|why| times.wrong(why))
    }

    fn cap(&self) -> Result<Option<Cap>, TermsError> {
        let Some(limit) = self.amount("Cap Amount", self.provisions.cap)? else { return Ok(None) };
        let span = self.field("Cap Of").needed(self.provisions.cap_span, Ok)?;
        Ok(Some(Cap { limit, span }))
    }

    fn taxes(&self) -> Result<Taxes, TermsError> {
        let Provisions { tax, fees_tax, expenses_tax, tax_rounding, .. } = self.provisions;
        let work = self.treatment(*tax, self.tax_percent, "Tax Rate")?;
        Ok(Taxes {
            work,
            fees: self.other_treatment(work, *fees_tax, "Fees Tax Rate")?,
            expenses: self.other_treatment(work, *expenses_tax, "Expenses Tax Rate")?,
            rounding: *tax_rounding,
        })
    }

    fn treatment(
        &self,
        kind: TaxKind,
        percent: Option<Decimal>,
        field: &'static str,
    ) -> Result<Treatment, TermsError> {
        match kind {
            TaxKind::Taxed => Ok(Treatment::Taxed(self.field(field).needed(percent, figure::<Percent>)?)),
            TaxKind::ReverseCharge => Ok(Treatment::ReverseCharge),
            TaxKind::Exempt => Ok(Treatment::Exempt),
        }
    }

    fn other_treatment(
        &self,
        work: Treatment,
        clause: TaxClause,
        field: &'static str,
    ) -> Result<Treatment, TermsError> {
        match (clause.kind, clause.percent) {
            (None, None) => Ok(work),
            (kind, percent) => self.treatment(kind.unwrap_or_default(), percent.or(self.tax_percent), field),
        }
    }

    /// Discounts in their order; the steps of one are one, in the place of the first of them.
    fn discounts(&self, clauses: &[DiscountClause]) -> Result<Vec<Discount>, TermsError> {
        let mut clauses: Vec<&DiscountClause> = clauses.iter().collect();
        clauses.sort_by_key(|clause| (clause.place, clause.salesforce_id));
        let mut discounts: Vec<Discount> = Vec::new();
        let mut stepped: Vec<&str> = Vec::new();
        for clause in &clauses {
            if clause.from.is_none() {
                discounts.push(Discount {
                    name: clause.name.clone(),
                    on: clause.on(),
                    size: clause.size(self.currency)?,
                });
            } else if !stepped.contains(&clause.name.as_str()) {
                stepped.push(&clause.name);
                discounts.push(self.stepped(clause, &clauses)?);
            }
        }
        Ok(discounts)
    }

    fn stepped(&self, first: &DiscountClause, clauses: &[&DiscountClause]) -> Result<Discount, TermsError> {
        let mut steps = Vec::new();
        let all = clauses.iter().filter(|clause| clause.from.is_some() && clause.name == first.name);
        for clause in all {
            if clause.on() != first.on() {
                return Err(clause.field("Applies To").wrong(FieldError::Unwanted));
            }
            steps.push(clause.step(self.currency)?);
        }
        steps.sort_by_key(|step| step.from.get().minor());
        let size = steps.try_into().map_err(|why: VolumeStepsError| first.field("From Amount").wrong(why))?;
        Ok(Discount { name: first.name.clone(), on: first.on(), size: DiscountSize::Volume(size) })
    }

    fn late_fee(&self, clause: LateClause) -> Result<Option<LateFee>, TermsError> {
        if clause == LateClause::default() {
            return Ok(None);
        }
        let interest = clause.interest.or(Some(Decimal::ZERO));
        Ok(Some(LateFee {
            yearly: self.field("Late Interest").needed(interest, figure::<Percent>)?,
            once: self.amount("Late Fee", clause.once)?,
        }))
    }
}

impl DiscountClause {
    fn field(&self, name: &'static str) -> Field {
        Field(self.salesforce_id, name)
    }

    fn on(&self) -> DiscountOn {
        self.on.unwrap_or(DiscountOn::Work)
    }

    fn size(&self, currency: Currency) -> Result<DiscountSize, TermsError> {
        match (self.percent, self.amount) {
            (percent, None) => {
                Ok(DiscountSize::Percent(self.field("Percent").needed(percent, figure::<Percent>)?))
            }
            (None, amount) => {
                let amount = self.field("Amount").needed(amount, |amount| positive(amount, currency))?;
                Ok(DiscountSize::Fixed(amount))
            }
            (Some(_), Some(_)) => Err(self.field("Amount").wrong(FieldError::Unwanted)),
        }
    }

    fn step(&self, currency: Currency) -> Result<VolumeStep, TermsError> {
        if self.amount.is_some() {
            return Err(self.field("Amount").wrong(FieldError::Unwanted));
        }
        Ok(VolumeStep {
            from: self.field("From Amount").needed(self.from, |from| positive(from, currency))?,
            percent: self.field("Percent").needed(self.percent, figure::<Percent>)?,
        })
    }
}

impl Rate {
    fn field(&self, name: &'static str) -> Field {
        Field(self.salesforce_id, name)
    }

    fn price(&self) -> Result<UnitPrice, TermsError> {
        self.field("Hourly Rate").needed(Some(self.hourly_rate), figure::<UnitPrice>)
    }

    fn criteria(&self) -> Criteria {
        let named = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        Criteria {
            person: self.person.as_deref().and_then(named),
            work_type: self.work_type.as_deref().and_then(named),
            role: named(&self.role),
        }
    }

    /// What it says on a card.
    fn of_card(&self) -> Result<CardRate, TermsError> {
        if self.above_hours.is_some() {
            return Err(self.field("Above Hours").wrong(FieldError::Unwanted));
        }
        let criteria = self.criteria();
        if criteria == Criteria::default() {
            return Err(self.field("Role").wrong(RatesError::NoCriteria));
        }
        Ok(CardRate { criteria, price: self.price()?, from: self.valid_from })
    }

    /// What it says of hours beyond some. It holds for all work, and as long as the contract's version does.
    fn tier(&self) -> Result<Tier, TermsError> {
        if self.criteria() != Criteria::default() {
            return Err(self.field("Role").wrong(FieldError::Unwanted));
        }
        if self.valid_from.is_some() {
            return Err(self.field("Valid From").wrong(FieldError::Unwanted));
        }
        Ok(Tier { above: self.field("Above Hours").needed(self.above_hours, span)?, price: self.price()? })
    }
}
