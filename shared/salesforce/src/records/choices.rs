//! Picklists: which value of which field means what. An empty one means what is usual.

use portico_domain::{
    SalesforceId,
    billing::{CapSpan, DiscountOn, HoursPolicy, IncrementStep, Rounding, TaxRounding, Together},
    contracts::{BilledBy, Pricing, TaxKind},
};

use super::{Object, Unusable, Wrong, shown};

/// What the values of a picklist mean.
pub trait Choice: Copy + PartialEq + Sized + 'static {
    /// All of them.
    const ALL: &'static [Self];

    /// The value in Salesforce.
    fn value(self) -> &'static str;

    /// What a value means.
    fn of_value(value: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|choice| choice.value() == value)
    }
}

/// Without a wildcard: a new rule of the portal has to choose its value.
macro_rules! choice {
    ($name:ident: $($variant:ident = $value:literal),+ $(,)?) => {
        impl Choice for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn value(self) -> &'static str {
                match self {
                    $(Self::$variant => $value,)+
                }
            }
        }
    };
}

choice!(BilledBy: Case = "Case", Month = "Month");
choice!(
    Pricing: Card = "Rate card",
    Graduated = "Graduated tiers",
    Volume = "Volume tiers",
    FixedFees = "Fixed fees",
);
choice!(
    IncrementStep: Minute = "1 minute",
    Tenth = "6 minutes",
    Quarter = "15 minutes",
    Half = "30 minutes",
);
choice!(Rounding: Up = "Up", Nearest = "Nearest");
choice!(Together: Entry = "Entry", Day = "Day", Case = "Case", Invoice = "Invoice");
choice!(HoursPolicy: Shown = "As shown", Exact = "Exact minutes");
choice!(CapSpan: Lifetime = "Whole contract", Period = "Month");
choice!(TaxKind: Taxed = "Taxed", ReverseCharge = "Reverse charge", Exempt = "Exempt");
choice!(TaxRounding: Total = "Document", Line = "Line");
choice!(DiscountOn: Work = "Work", WorkAndFees = "Work and fees", Everything = "Everything");

/// A picklist of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picklist {
    /// The object.
    pub object: Object,
    /// The field, by API name.
    pub field: &'static str,
    /// Its values, in their order.
    pub values: Vec<&'static str>,
}

impl Picklist {
    fn of<C: Choice>(object: Object, field: &'static str) -> Self {
        Self { object, field, values: C::ALL.iter().map(|choice| choice.value()).collect() }
    }
}

/// Every picklist whose values the portal knows.
pub fn picklists() -> Vec<Picklist> {
    let contract = Object::Contract;
    vec![
        Picklist::of::<BilledBy>(contract, "Billed_By__c"),
        Picklist::of::<Pricing>(contract, "Pricing__c"),
        Picklist::of::<IncrementStep>(contract, "Increment__c"),
        Picklist::of::<Rounding>(contract, "Rounding__c"),
        Picklist::of::<Together>(contract, "Rounded_Together__c"),
        Picklist::of::<HoursPolicy>(contract, "Hours_Billed__c"),
        Picklist::of::<CapSpan>(contract, "Cap_Of__c"),
        Picklist::of::<TaxKind>(contract, "Tax_Treatment__c"),
        Picklist::of::<TaxKind>(contract, "Fees_Tax_Treatment__c"),
        Picklist::of::<TaxKind>(contract, "Expenses_Tax_Treatment__c"),
        Picklist::of::<TaxRounding>(contract, "Tax_Rounding__c"),
        Picklist::of::<DiscountOn>(Object::Discount, "Applies_To__c"),
    ]
}

/// What was chosen, if anything was.
pub(super) fn chosen<C: Choice>(
    record: SalesforceId,
    field: &'static str,
    value: Option<&String>,
) -> Result<Option<C>, Unusable> {
    let read = |value: &String| {
        C::of_value(value).ok_or_else(|| Wrong::Choice(shown(value)).in_field(record, field))
    };
    value.map(read).transpose()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_value_means_one_thing_and_another_is_told_of() {
        for picklist in picklists() {
            let distinct: BTreeSet<&str> = picklist.values.iter().copied().collect();
            assert_eq!(distinct.len(), picklist.values.len(), "{picklist:?}");
        }
        let record = "a02000000000001AAA".parse().unwrap();
        let read = |value: &str| chosen::<BilledBy>(record, "Billed_By__c", Some(&value.to_owned()));
        assert_eq!(read("Month"), Ok(Some(BilledBy::Month)));
        let refused = read(&"Quarter".repeat(20)).unwrap_err().to_string();
        assert!(
            refused.starts_with("Billed_By__c of a02000000000001AAA has the value QuarterQuarter"),
            "{refused}"
        );
        assert!(refused.len() < 130, "{refused}");
        assert_eq!(chosen::<BilledBy>(record, "Billed_By__c", None), Ok(None));
    }
}
