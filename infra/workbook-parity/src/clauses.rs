//! The sheets Contract, Rates and Discounts: what was agreed, and what earlier bills used of it.

use std::collections::BTreeMap;

use jiff::civil::Date;
use portico_domain::{
    CaseId, Currency, Money,
    billing::{
        Agreement, Cap, CapSpan, CapUse, CardRate, Carry, Clauses, Criteria, DISCOUNTS_MAX, Discount,
        DiscountOn, DiscountSize, Grant, HoursPolicy, Increment, IncrementStep, LeastTime, Markup, Mode,
        Percent, Period, PositiveMoney, RateCard, Rates, Retainer, RetainerBalance, Rounding, Scope, Span,
        TaxRounding, Taxes, Terms, TermsError, Together, Treatment, UnitPrice,
    },
};
use rust_decimal::{Decimal, prelude::ToPrimitive};
use uuid::Uuid;

use crate::{
    Unusable,
    book::{Book, CONTRACT, DISCOUNTS, RATES},
    sheet::{Found, Value},
};

/// A workbook has days and no times of day, so whose clock they are by makes no difference.
const ZONE: &str = "UTC";
/// Minutes of an hour.
const HOUR: u32 = 60;

/// The clauses that are read, by their names; any other name is refused.
const NAMES: [&str; 26] = [
    "currency",
    "case closed on",
    "month",
    "hourly rate",
    "time rule",
    "round time to",
    "round time",
    "round together",
    "least time",
    "hours",
    "mark-up",
    "minimum charge",
    "cap",
    "cap is for",
    "cap used",
    "tax",
    "tax on work",
    "tax on fees",
    "tax on expenses",
    "round tax",
    "retainer fee",
    "retainer hours",
    "retainer hours brought",
    "overage rate",
    "client",
    "contract",
];

/// What macros for rounding time are called, and the increment that they stand for.
const TIME_RULES: [(&str, (IncrementStep, Rounding)); 6] = [
    ("RoundUpToTenth", (IncrementStep::Tenth, Rounding::Up)),
    ("RoundUpToQuarter", (IncrementStep::Quarter, Rounding::Up)),
    ("RoundUpToHalf", (IncrementStep::Half, Rounding::Up)),
    ("RoundToTenth", (IncrementStep::Tenth, Rounding::Nearest)),
    ("RoundToQuarter", (IncrementStep::Quarter, Rounding::Nearest)),
    ("RoundToHalf", (IncrementStep::Half, Rounding::Nearest)),
];

/// What was agreed, and what the bill is for.
#[derive(Debug)]
pub(crate) struct Contract {
    pub currency: Currency,
    pub clauses: Clauses,
    pub agreement: Agreement,
    pub scope: Scope,
    /// The case of everything on the workbook.
    pub case: CaseId,
    pub before: Carry,
}

/// The clauses of the sheet Contract.
struct Sheet<'a> {
    cells: BTreeMap<String, Found>,
    book: &'a Book,
}

/// Reads what was agreed.
///
/// # Errors
/// [`Unusable`] if a clause is missing, unknown or cannot be as it stands.
pub(crate) fn read(book: &Book) -> Result<Contract, Unusable> {
    let mut cells = BTreeMap::new();
    for (name, found) in book.required(CONTRACT)?.pairs() {
        if !NAMES.contains(&name.as_str()) {
            let expected = format!("a clause that is known, and {name:?} is none; its value");
            return Err(found.wrong(expected));
        }
        if let Some(first) = cells.insert(name, found.clone()) {
            return Err(found.wrong(format!("each clause once, and this one is in {} already", first.place)));
        }
    }
    let sheet = Sheet { cells, book };
    let currency = sheet.currency()?;
    let case = CaseId::from_uuid(Uuid::nil());
    let scope = sheet.scope(case)?;
    let clauses = Clauses {
        currency,
        zone: ZONE.parse().map_err(TermsError::Zone)?,
        mode: sheet.mode(scope, currency)?,
        rates: Rates::Card(sheet.card()?),
        after_hours: None,
        increment: sheet.increment()?,
        hours: sheet.hours()?,
        blocks: Vec::new(),
        markup: sheet.markup()?,
        discounts: sheet.discounts(currency)?,
        minimum_charge: sheet.amount("minimum charge", currency)?,
        cap: sheet.cap(currency)?,
        taxes: sheet.taxes()?,
        payment_terms_days: 0,
        purchase_order: None,
        late_fee: None,
    };
    let terms = Terms::try_from(clauses.clone())?;
    let before =
        Carry { retainer: sheet.brought(scope)?, blocks: Vec::new(), cap: sheet.cap_used(scope, currency)? };
    Ok(Contract { currency, clauses, agreement: Agreement::always(terms), scope, case, before })
}

/// An amount of money, in whole minor units of the currency.
pub(crate) fn money(found: &Found, currency: Currency) -> Result<Money, Unusable> {
    let expected = format!("an amount in {currency} with at most {} decimals", currency.decimals());
    let number = found.number(&expected)?;
    match Money::rounded(number, currency) {
        Ok(amount) if amount.to_decimal() == number => Ok(amount),
        Ok(_) | Err(_) => Err(found.wrong(expected)),
    }
}

impl Sheet<'_> {
    fn find(&self, name: &str) -> Option<&Found> {
        self.cells.get(name)
    }

    fn required(&self, name: &str) -> Result<&Found, Unusable> {
        self.find(name).ok_or_else(|| Unusable::Missing { sheet: CONTRACT, name: name.to_owned() })
    }

    /// That a clause is of no use without another one.
    fn alone(&self, name: &str, needs: &str) -> Result<(), Unusable> {
        match self.find(name) {
            Some(found) => Err(found.wrong(format!("nothing, because there is no {needs:?}"))),
            None => Ok(()),
        }
    }

    fn currency(&self) -> Result<Currency, Unusable> {
        const EXPECTED: &str = "the code of a currency, such as EUR";
        let found = self.required("currency")?;
        found.text(EXPECTED)?.parse().map_err(|_| found.wrong(EXPECTED))
    }

    fn scope(&self, case: CaseId) -> Result<Scope, Unusable> {
        match (self.find("case closed on"), self.find("month")) {
            (Some(closed), None) => Ok(Scope::Case { case, closed_on: closed.day()?, part: 0 }),
            (None, Some(month)) => {
                let first: Date = month.day()?;
                let period = Period::try_from(first);
                period.map(Scope::Period).map_err(|_| month.wrong("the first day of a month"))
            }
            (None, None) => {
                Err(Unusable::Missing { sheet: CONTRACT, name: "case closed on, or month,".to_owned() })
            }
            (Some(_), Some(month)) => Err(month.wrong("nothing, because it is a case that is billed")),
        }
    }

    fn mode(&self, scope: Scope, currency: Currency) -> Result<Mode, Unusable> {
        let Some(fee) = self.find("retainer fee") else {
            for name in ["retainer hours", "retainer hours brought", "overage rate"] {
                self.alone(name, "retainer fee")?;
            }
            return Ok(match scope {
                Scope::Case { .. } => Mode::Case,
                Scope::Period(_) => Mode::Period { retainer: None },
            });
        };
        if let Scope::Case { .. } = scope {
            return Err(fee.wrong("nothing, because only months can have a retainer"));
        }
        let retainer = Retainer {
            fee: money(fee, currency)?,
            included: self.time("retainer hours")?,
            overage: self.find("overage rate").map(|found| found.figure("an hourly rate")).transpose()?,
            // What is left after this month is not on its bill.
            roll_over: None,
        };
        Ok(Mode::Period { retainer: Some(retainer) })
    }

    /// Hours that are whole minutes.
    fn time(&self, name: &str) -> Result<Span, Unusable> {
        const EXPECTED: &str = "hours that are whole minutes";
        let found = self.required(name)?;
        let minutes = found.number(EXPECTED)?.checked_mul(Decimal::from(HOUR));
        let whole = minutes.filter(Decimal::is_integer).and_then(|minutes| minutes.to_u32());
        whole.and_then(|whole| Span::try_from(whole).ok()).ok_or_else(|| found.wrong(EXPECTED))
    }

    fn brought(&self, scope: Scope) -> Result<Option<RetainerBalance>, Unusable> {
        let (Scope::Period(period), Some(_)) = (scope, self.find("retainer hours brought")) else {
            return Ok(None);
        };
        let left = self.time("retainer hours brought")?.minutes();
        let through = Period::of(period.first().yesterday().unwrap_or(period.first()));
        let grant = Grant { period: through, left, expires_on: period.last() };
        Ok(Some(RetainerBalance { through, grants: vec![grant] }))
    }

    fn card(&self) -> Result<RateCard, Unusable> {
        let standard: UnitPrice = self.required("hourly rate")?.figure("an hourly rate")?;
        let mut rates = Vec::new();
        if let Some(sheet) = self.book.sheet(RATES) {
            let table = sheet.table(&["Role", "Rate"])?;
            for row in table.rows(&["Role", "Rate"]) {
                let role = table.required(row, "Role")?.text("a role")?;
                let price = table.required(row, "Rate")?.figure("an hourly rate")?;
                let from = table.cell(row, "From").filter(|found| !found.is_empty());
                let from = from.map(|found| found.day()).transpose()?;
                rates.push(CardRate { criteria: Criteria::role(&role), price, from });
            }
        }
        Ok(RateCard::new(standard, rates).map_err(TermsError::Rates)?)
    }

    fn increment(&self) -> Result<Increment, Unusable> {
        let (step, rounding) = match (self.find("time rule"), self.find("round time to")) {
            (Some(rule), None) => {
                self.alone("round time", "round time to")?;
                rule.one_of(&TIME_RULES)?
            }
            (None, Some(minutes)) => {
                let known = |step: &IncrementStep| minutes.cell.now == Value::Number(step.minutes().into());
                let step = IncrementStep::ALL.into_iter().find(known);
                let step = step.ok_or_else(|| minutes.wrong("1, 6, 15 or 30 minutes"))?;
                let words = [("up", Rounding::Up), ("nearest", Rounding::Nearest)];
                (step, self.find("round time").map_or(Ok(Rounding::Up), |found| found.one_of(&words))?)
            }
            (None, None) => {
                self.alone("round time", "round time to")?;
                (IncrementStep::Minute, Rounding::Up)
            }
            (Some(_), Some(minutes)) => {
                return Err(minutes.wrong("nothing, because there is a \"time rule\""));
            }
        };
        let words = [("entry", Together::Entry), ("day", Together::Day), ("invoice", Together::Invoice)];
        let together = self.find("round together").map(|found| found.one_of(&words)).transpose()?;
        const LEAST: &str = "minutes, at most a day";
        let least = self
            .find("least time")
            .map(|found| LeastTime::try_from(found.whole::<u16>(LEAST)?).map_err(|_| found.wrong(LEAST)));
        Ok(Increment {
            step,
            rounding,
            together: together.unwrap_or(Together::Entry),
            least: least.transpose()?.unwrap_or_default(),
        })
    }

    fn hours(&self) -> Result<HoursPolicy, Unusable> {
        let words = [("shown", HoursPolicy::Shown), ("exact", HoursPolicy::Exact)];
        self.find("hours").map_or(Ok(HoursPolicy::Shown), |found| found.one_of(&words))
    }

    fn markup(&self) -> Result<Markup, Unusable> {
        match self.find("mark-up") {
            Some(found) => found.percentage("a percentage from 0 to 1000"),
            None => Ok(Markup::try_from(Decimal::ZERO).map_err(TermsError::Figure)?),
        }
    }

    /// An amount that is more than nothing; none if it is not agreed.
    fn amount(&self, name: &str, currency: Currency) -> Result<Option<PositiveMoney>, Unusable> {
        let Some(found) = self.find(name) else { return Ok(None) };
        let amount = money(found, currency)?;
        PositiveMoney::try_from(amount).map(Some).map_err(|_| found.wrong("more than nothing"))
    }

    fn discounts(&self, currency: Currency) -> Result<Vec<Discount>, Unusable> {
        let Some(sheet) = self.book.sheet(DISCOUNTS) else { return Ok(Vec::new()) };
        let table = sheet.table(&["Name", "On"])?;
        let rows = table.rows(&["Name", "Percent", "Amount", "On"]);
        if rows.len() > DISCOUNTS_MAX {
            return Err(Unusable::TooManyRows { sheet: DISCOUNTS, most: DISCOUNTS_MAX });
        }
        let on = [
            ("work", DiscountOn::Work),
            ("work and fees", DiscountOn::WorkAndFees),
            ("everything", DiscountOn::Everything),
        ];
        let mut discounts = Vec::with_capacity(rows.len());
        for row in rows {
            let filled = |head| table.cell(row, head).filter(|found: &Found| !found.is_empty());
            let name = table.required(row, "Name")?;
            let size = match (filled("Percent"), filled("Amount")) {
                (Some(percent), None) => DiscountSize::Percent(percent.percentage("a percentage")?),
                (None, Some(amount)) => {
                    let fixed = PositiveMoney::try_from(money(&amount, currency)?);
                    DiscountSize::Fixed(fixed.map_err(|_| amount.wrong("more than nothing"))?)
                }
                (None, None) | (Some(_), Some(_)) => {
                    return Err(name.wrong("a discount with either Percent or Amount"));
                }
            };
            let on = table.required(row, "On")?.one_of(&on)?;
            discounts.push(Discount { name: name.text("a name")?, on, size });
        }
        Ok(discounts)
    }

    fn cap(&self, currency: Currency) -> Result<Option<Cap>, Unusable> {
        let Some(limit) = self.amount("cap", currency)? else {
            self.alone("cap is for", "cap")?;
            self.alone("cap used", "cap")?;
            return Ok(None);
        };
        let words = [("contract", CapSpan::Lifetime), ("month", CapSpan::Period)];
        Ok(Some(Cap { limit, span: self.required("cap is for")?.one_of(&words)? }))
    }

    fn cap_used(&self, scope: Scope, currency: Currency) -> Result<Option<CapUse>, Unusable> {
        let Some(found) = self.find("cap used") else { return Ok(None) };
        let used = money(found, currency)?;
        if used.minor() < 0 {
            return Err(found.wrong("an amount that is not below zero"));
        }
        Ok(Some(CapUse { used, period: scope.period() }))
    }

    fn taxes(&self) -> Result<Taxes, Unusable> {
        let mut taxes = match self.find("tax") {
            Some(found) => {
                for name in ["tax on work", "tax on fees", "tax on expenses"] {
                    if let Some(other) = self.find(name) {
                        return Err(other.wrong("nothing, because there is one \"tax\""));
                    }
                }
                Taxes::uniform(treatment(found)?)
            }
            None => Taxes {
                work: treatment(self.required("tax on work")?)?,
                fees: treatment(self.required("tax on fees")?)?,
                expenses: treatment(self.required("tax on expenses")?)?,
                rounding: TaxRounding::Total,
            },
        };
        let words = [("document", TaxRounding::Total), ("line", TaxRounding::Line)];
        if let Some(found) = self.find("round tax") {
            taxes.rounding = found.one_of(&words)?;
        }
        Ok(taxes)
    }
}

fn treatment(found: &Found) -> Result<Treatment, Unusable> {
    match &found.cell.now {
        Value::Text(_) => {
            found.one_of(&[("reverse charge", Treatment::ReverseCharge), ("exempt", Treatment::Exempt)])
        }
        _ => Ok(Treatment::Taxed(found.percentage::<Percent>("a percentage, reverse charge or exempt")?)),
    }
}
