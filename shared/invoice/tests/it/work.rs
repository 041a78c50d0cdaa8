//! Invoices of every kind, priced by the engine; shared with `examples/corpus.rs`. The same seed gives the same invoices.

use jiff::civil::{Date, Weekday, time};
use portico_domain::{
    Currency, EntryId, Money,
    billing::{
        AfterHours, Agreement, Bill, Block, Cap, CapSpan, CardRate, Carry, Clauses, Credit, CreditNote,
        CreditWish, Crediting, Criteria, Delivery, Discount, DiscountOn, DiscountSize, Expense, HoursPolicy,
        Increment, IncrementStep, Input, Invoice, Issuing, Mode, Period, Positions, RateCard, Rates,
        Retainer, Rounding, Scope, Subject, TaxRounding, Taxes, Terms, Tier, Tiers, TimeEntry, Together,
        Treatment, Window, WorkingHours, price,
    },
    people::Account,
};
use portico_invoice::{Buyer, Language, VatNumber};
use rust_decimal::Decimal;
use serde_json::json;

/// Throws that repeat: SplitMix64 (Steele, Lea, Flood 2014).
pub struct Dice(pub u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `least` to `most`.
    pub fn between(&mut self, least: i64, most: i64) -> i64 {
        let choices = u64::try_from(most - least + 1).unwrap();
        least + i64::try_from(self.next() % choices).unwrap()
    }

    /// Once in `times`.
    pub fn once_in(&mut self, times: i64) -> bool {
        self.between(1, times) == 1
    }

    /// One of them.
    pub fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        let last = i64::try_from(choices.len()).unwrap() - 1;
        choices[usize::try_from(self.between(0, last)).unwrap()].clone()
    }

    fn id(&mut self) -> uuid::Uuid {
        uuid::Uuid::from_u64_pair(self.next(), self.next())
    }

    fn salesforce_id(&mut self) -> portico_domain::SalesforceId {
        format!("a03{:012}", self.next() % 1_000_000_000_000).parse().unwrap()
    }

    fn figure<T: TryFrom<Decimal>>(&mut self, least: i64, most: i64, decimals: u32) -> T {
        T::try_from(Decimal::new(self.between(least, most), decimals)).ok().unwrap()
    }

    fn price(&mut self) -> portico_domain::billing::UnitPrice {
        if self.once_in(6) { self.figure(1, 250_000_000, 6) } else { self.figure(4_000, 25_000, 2) }
    }

    fn treatment(&mut self) -> Treatment {
        match self.between(1, 12) {
            1 => Treatment::ReverseCharge,
            2 => Treatment::Exempt,
            3 => Treatment::Taxed(self.figure(0, 0, 0)),
            4 => Treatment::Taxed(self.figure(0, 2_800, 2)),
            _ => Treatment::Taxed(self.pick(&[7_i64, 19, 20, 21, 25]).into_percent()),
        }
    }
}

trait IntoPercent {
    fn into_percent(self) -> portico_domain::billing::Percent;
}

impl IntoPercent for i64 {
    fn into_percent(self) -> portico_domain::billing::Percent {
        Decimal::from(self).try_into().unwrap()
    }
}

/// An invoice as it was issued, perhaps with the credit note that takes it back, and whom it goes to.
pub struct Issued {
    pub invoice: Invoice,
    pub positions: Positions,
    pub note: Option<CreditNote>,
    pub buyer: Buyer,
    pub language: Language,
}

const DESCRIPTIONS: [&str; 10] = [
    "Discovery workshop with the service desk",
    "Data model for cases and entitlements, reviewed with your architects and written up as a decision record",
    "Migration rehearsal",
    "Flow <refactoring> & \"clean-up\"",
    "Sandbox refresh and smoke test",
    "Schnittstelle zur Lagerverwaltung: Größenprüfung für Überseecontainer",
    "Réunion de cadrage à l’usine",
    "#read(\"/etc/passwd\")",
    "",
    "On-site training, second group",
];
/// Name, address, VAT number.
const CLIENTS: [(&str, &[&str], &str); 6] = [
    ("Nordhaven Logistics GmbH", &["Speicherstrasse 14", "20457 Hamburg", "Germany"], "DE136695976"),
    (
        "Acme Logistics B.V.",
        &["Accounts Payable", "Keizersgracht 241", "1016 EA Amsterdam", "The Netherlands"],
        "NL812345678B01",
    ),
    ("Ateliers Lefèvre & Fils", &["12 rue des Tanneurs", "67000 Strasbourg", "France"], "FR83404833048"),
    ("Brightwater Labs", &["88 Harbor Street", "97209 Portland", "United States"], ""),
    (
        "Talleres Ibáñez S.A.",
        &["Calle Mayor 3", "Piso 2", "Puerta 4", "Edificio B", "28013 Madrid", "España"],
        "ESX1234567X",
    ),
    ("Lakeside Trust AG", &["Bahnhofstrasse 1", "8001 Zürich", "Schweiz"], ""),
];

const FIRST: &str = "2026-11-01";

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

/// How often a contract and work that come to nothing are thrown again.
const THROWS_MAX: usize = 200;

/// The next invoice.
pub fn issued(dice: &mut Dice, count: u64) -> Issued {
    for _ in 0..THROWS_MAX {
        if let Some(issued) = try_issued(dice, count) {
            return issued;
        }
    }
    panic!("nothing to bill in {THROWS_MAX} throws");
}

fn try_issued(dice: &mut Dice, count: u64) -> Option<Issued> {
    let currency: Currency =
        dice.pick(&["EUR", "EUR", "EUR", "EUR", "USD", "CHF", "JPY", "KWD"]).parse().unwrap();
    let clauses = clauses(dice, currency);
    let monthly = matches!(clauses.mode, Mode::Period { .. });
    let case = portico_domain::CaseId::from_uuid(dice.id());
    let entries = entries(dice, case);
    let (expenses, deliveries) = besides(dice, case, currency);
    let terms = Terms::try_from(clauses).ok()?;
    let scope = if monthly {
        Scope::Period(Period::of(day(FIRST)))
    } else {
        Scope::Case { case, closed_on: day("2026-11-30"), part: 0 }
    };
    let bill = price(Input {
        agreement: &Agreement::always(terms.clone()),
        scope,
        earliest: None,
        entries: &entries,
        expenses: &expenses,
        deliveries: &deliveries,
        before: &Carry::default(),
    })
    .ok()?;
    if bill.is_empty() {
        return None;
    }
    let (name, address, vat_number) = dice.pick(&CLIENTS);
    let (invoice, positions) = issue(dice, bill, &terms, scope, count, (name, address))?;
    let note = if dice.once_in(4) { credited(dice, &invoice, &positions, count) } else { None };
    // Whoever owes the tax has a number.
    let reverse = invoice.taxes.iter().any(|sum| sum.treatment == Treatment::ReverseCharge);
    let number = if vat_number.is_empty() && reverse { "DE136695976" } else { vat_number };
    let buyer = Buyer::of(&invoice, VatNumber::try_from(number.to_owned()).ok());
    Some(Issued { invoice, positions, note, buyer, language: dice.pick(&Language::ALL) })
}

fn issue(
    dice: &mut Dice,
    bill: Bill,
    terms: &Terms,
    scope: Scope,
    count: u64,
    (name, address): (&str, &[&str]),
) -> Option<(Invoice, Positions)> {
    let account: Account = serde_json::from_value(json!({
        "id": portico_domain::AccountId::from_uuid(dice.id()), "salesforce_id": dice.salesforce_id(), "name": name,
        "address": address, "version": 1,
    }))
    .unwrap();
    let subject = match scope {
        Scope::Case { case, .. } => Subject::Case {
            case,
            number: Some("00001427".to_owned()),
            subject: "Label printer in hall 3 is offline".to_owned(),
        },
        Scope::Period(period) => Subject::Period { period, contract: "Support".to_owned() },
    };
    let issuing = Issuing {
        contract: portico_domain::ContractId::from_uuid(dice.id()),
        clauses: terms.clauses(),
        account: &account,
        scope,
        count,
        now: "2026-12-01T09:30:00Z".parse().unwrap(),
    };
    Invoice::issue(bill, subject, issuing).ok()
}

/// What was done, as people write it, in the languages of the brands.
const WORK: [(Language, [&str; 5]); 3] = [
    (
        Language::English,
        [
            "Discovery workshop with the service desk",
            "Data model for cases and entitlements, reviewed with your architects and written up as a decision record",
            "Migration rehearsal",
            "Refactoring of the escalation flow",
            "Sandbox refresh and smoke test",
        ],
    ),
    (
        Language::German,
        [
            "Workshop mit dem Servicedesk",
            "Datenmodell für Vorgänge und Ansprüche, mit Ihren Architekten geprüft und als Entscheidung festgehalten",
            "Probelauf der Migration",
            "Umbau des Eskalations-Flows",
            "Sandbox aufgefrischt und getestet",
        ],
    ),
    (
        Language::Spanish,
        [
            "Taller inicial con el centro de servicio",
            "Modelo de datos de casos y derechos, revisado con sus arquitectos y documentado como decisión",
            "Ensayo de la migración",
            "Reforma del flujo de escalado",
            "Actualización y prueba del entorno",
        ],
    ),
];

/// An invoice of this many hours of work, each a position, in one of the languages of [`WORK`].
pub fn hours(count: usize, language: Language) -> Issued {
    let texts = WORK.iter().find(|(of, _)| *of == language).map(|(_, texts)| texts).unwrap();
    let mut dice = Dice(1);
    let currency = "EUR".parse().unwrap();
    let clauses = Clauses {
        mode: Mode::Case,
        rates: Rates::Card(RateCard::new(dice.price(), vec![]).unwrap()),
        after_hours: None,
        increment: Increment { step: IncrementStep::Quarter, ..Increment::AS_LOGGED },
        hours: HoursPolicy::Shown,
        blocks: vec![],
        discounts: vec![],
        minimum_charge: None,
        cap: None,
        taxes: Taxes::uniform(Treatment::Taxed(19.into_percent())),
        ..clauses(&mut dice, currency)
    };
    let case = portico_domain::CaseId::from_uuid(dice.id());
    let entries: Vec<TimeEntry> = (0..count)
        .map(|place| TimeEntry {
            description: texts[place % texts.len()].to_owned(),
            ..entry(&mut dice, case)
        })
        .collect();
    let terms = Terms::try_from(clauses).unwrap();
    let scope = Scope::Case { case, closed_on: day("2026-11-30"), part: 0 };
    let bill = price(Input {
        agreement: &Agreement::always(terms.clone()),
        scope,
        earliest: None,
        entries: &entries,
        expenses: &[],
        deliveries: &[],
        before: &Carry::default(),
    })
    .unwrap();
    let (name, address, _) = CLIENTS[0];
    let (invoice, positions) = issue(&mut dice, bill, &terms, scope, 1, (name, address)).unwrap();
    let buyer = Buyer::of(&invoice, None);
    Issued { invoice, positions, note: None, buyer, language }
}

/// A credit note of everything, or of a part of the first position that costs something.
fn credited(dice: &mut Dice, invoice: &Invoice, positions: &Positions, count: u64) -> Option<CreditNote> {
    let wish = if dice.once_in(2) {
        CreditWish::Everything
    } else {
        let (line, position) =
            (1_u16..).zip(&positions.lines).find(|(_, position)| position.amount.minor() > 0)?;
        let part = Money::from_minor(dice.between(1, position.amount.minor()), invoice.currency);
        CreditWish::Lines(vec![Credit { line, amount: part }])
    };
    let crediting = Crediting {
        id: portico_domain::CreditNoteId::from_uuid(dice.id()),
        reason: "Billed to the wrong company",
        count,
        issued_on: day("2026-12-03"),
        now: "2026-12-03T10:00:00Z".parse().unwrap(),
    };
    invoice.credit(positions, wish, crediting).ok().map(|(_, note)| note)
}

fn clauses(dice: &mut Dice, currency: Currency) -> Clauses {
    let positive =
        |dice: &mut Dice, most| Money::from_minor(dice.between(1, most), currency).try_into().unwrap();
    let standard = dice.price();
    let rates = match dice.between(1, 5) {
        1 => Rates::Graduated(tiers(dice)),
        2 => Rates::Volume(tiers(dice)),
        _ => {
            let criteria = Criteria { person: None, work_type: None, role: Some("Architect".to_owned()) };
            let card = CardRate { criteria, price: dice.price(), from: Some(day("2026-10-01")) };
            Rates::Card(RateCard::new(standard, vec![card]).unwrap())
        }
    };
    let mode = match dice.between(1, 3) {
        1 => Mode::Period {
            retainer: Some(Retainer {
                fee: Money::from_minor(dice.between(0, 500_000), currency),
                included: u32::try_from(dice.between(30, 900)).unwrap().try_into().unwrap(),
                overage: dice.once_in(2).then(|| dice.price()),
                roll_over: None,
            }),
        },
        2 => Mode::Period { retainer: None },
        _ => Mode::Case,
    };
    let windows = vec![
        Window::new(&[Weekday::Saturday, Weekday::Sunday], time(0, 0, 0, 0), None).unwrap(),
        Window::new(&[Weekday::Monday, Weekday::Tuesday], time(18, 0, 0, 0), None).unwrap(),
    ];
    let after_hours = AfterHours::new(dice.figure(11_000, 25_000, 4), windows).unwrap();
    let block = Block {
        salesforce_id: dice.salesforce_id(),
        bought_on: day(FIRST),
        time: u32::try_from(dice.between(30, 900)).unwrap().try_into().unwrap(),
        price: positive(dice, 300_000),
        expires_on: None,
    };
    let discounts = (0..dice.between(0, 2)).map(|number| Discount {
        name: ["Loyalty", "Early order"][usize::try_from(number).unwrap()].to_owned(),
        on: dice.pick(&[DiscountOn::Work, DiscountOn::WorkAndFees, DiscountOn::Everything]),
        size: if dice.once_in(3) {
            DiscountSize::Fixed(positive(dice, 20_000))
        } else {
            DiscountSize::Percent(dice.figure(1, 2_500, 2))
        },
    });
    let discounts = discounts.collect();
    let (work, other, alike) = (dice.treatment(), dice.treatment(), !dice.once_in(4));
    let taxes = Taxes {
        work,
        fees: if alike { work } else { other },
        expenses: if alike { work } else { other },
        rounding: if dice.once_in(8) { TaxRounding::Line } else { TaxRounding::Total },
    };
    Clauses {
        currency,
        zone: "Europe/Berlin".parse().unwrap(),
        mode,
        rates,
        after_hours: dice.once_in(3).then_some(after_hours),
        increment: Increment {
            step: dice.pick(&IncrementStep::ALL),
            rounding: dice.pick(&[Rounding::Up, Rounding::Nearest]),
            together: dice.pick(&[Together::Entry, Together::Day, Together::Case, Together::Invoice]),
            least: u16::try_from(dice.pick(&[0_i64, 0, 30])).unwrap().try_into().unwrap(),
        },
        hours: dice.pick(&[HoursPolicy::Shown, HoursPolicy::Shown, HoursPolicy::Exact]),
        blocks: if dice.once_in(4) { vec![block] } else { vec![] },
        discounts,
        minimum_charge: dice.once_in(5).then(|| positive(dice, 100_000)),
        cap: dice.once_in(4).then(|| Cap {
            limit: positive(dice, 400_000),
            span: dice.pick(&[CapSpan::Lifetime, CapSpan::Period]),
        }),
        markup: dice.figure(0, 2_000, 2),
        taxes,
        payment_terms_days: u16::try_from(dice.between(0, 60)).unwrap(),
        purchase_order: dice.once_in(2).then(|| format!("PO-{}", dice.between(1_000, 9_999))),
        late_fee: None,
    }
}

fn tiers(dice: &mut Dice) -> Tiers {
    let above = u32::try_from(dice.between(30, 600)).unwrap().try_into().unwrap();
    Tiers::new(dice.price(), vec![Tier { above, price: dice.price() }]).unwrap()
}

fn entries(dice: &mut Dice, case: portico_domain::CaseId) -> Vec<TimeEntry> {
    (0..dice.between(0, 14)).map(|_| entry(dice, case)).collect()
}

fn entry(dice: &mut Dice, case: portico_domain::CaseId) -> TimeEntry {
    let worked_on = day(FIRST).saturating_add(jiff::Span::new().days(dice.between(0, 28)));
    let began = format!("{worked_on}T{:02}:{:02}:00Z", dice.between(7, 21), dice.between(0, 59));
    let mut entry: TimeEntry = serde_json::from_value(json!({
        "id": EntryId::from_uuid(dice.id()), "salesforce_id": dice.salesforce_id(), "case": case,
        "worked_on": worked_on, "minutes": dice.between(1, 420), "description": dice.pick(&DESCRIPTIONS),
        "person": dice.pick(&["Mara Lindqvist", "Jonas Weber", "Priya Raman"]), "billable": true, "deleted": false,
        "created_at": "2026-11-02T00:00:00Z", "modstamp": "2026-11-02T00:00:00Z", "version": 1,
    }))
    .unwrap();
    entry.particulars.role = dice.once_in(2).then(|| "Architect".to_owned());
    entry.particulars.hours = dice.once_in(2).then(|| WorkingHours::From(began.parse().unwrap()));
    entry
}

fn besides(
    dice: &mut Dice,
    case: portico_domain::CaseId,
    currency: Currency,
) -> (Vec<Expense>, Vec<Delivery>) {
    let on = |dice: &mut Dice| day(FIRST).saturating_add(jiff::Span::new().days(dice.between(0, 28)));
    let expense = |dice: &mut Dice| Expense {
        salesforce_id: dice.salesforce_id(),
        case: Some(case),
        incurred_on: on(dice),
        description: "Train to Hamburg".to_owned(),
        person: "Ada".to_owned(),
        cost: Money::from_minor(dice.between(0, 60_000), currency),
    };
    let delivery = |dice: &mut Dice| Delivery {
        salesforce_id: dice.salesforce_id(),
        case: Some(case),
        delivered_on: on(dice),
        name: "Go-live of the customer portal".to_owned(),
        fee: Money::from_minor(dice.between(0, 900_000), currency),
    };
    let expenses = (0..dice.between(0, 2)).map(|_| expense(dice)).collect();
    (expenses, (0..dice.between(0, 1)).map(|_| delivery(dice)).collect())
}
