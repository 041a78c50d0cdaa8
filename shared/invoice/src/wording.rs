//! The words that the template adds, in each language.

use serde::Serialize;

/// Language of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// German.
    German,
    /// French.
    French,
    /// Spanish.
    Spanish,
}

impl Language {
    /// Every language that a document can be written in.
    pub const ALL: [Self; 4] = [Self::English, Self::German, Self::French, Self::Spanish];

    /// ISO 639-1 code, which is also the BCP 47 tag.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
            Self::Spanish => "es",
        }
    }

    /// The language for a BCP 47 tag: `de-AT` gives German. `None` for a language without wording.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    pub(crate) fn wording(self) -> &'static Wording {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
            Self::French => &FRENCH,
            Self::Spanish => &SPANISH,
        }
    }
}

/// The template reads these by name. `{page}` and `{pages}` are the only placeholders.
#[derive(Debug, Serialize)]
pub(crate) struct Wording {
    pub(crate) invoice: &'static str,
    pub(crate) credit_note: &'static str,
    number: &'static str,
    issued_on: &'static str,
    due_on: &'static str,
    service_period: &'static str,
    case_reference: &'static str,
    purchase_order: &'static str,
    corrects: &'static str,
    customer_tax_number: &'static str,
    description: &'static str,
    quantity: &'static str,
    unit_price: &'static str,
    amount: &'static str,
    net: &'static str,
    tax_base: &'static str,
    gross: &'static str,
    prepaid: &'static str,
    pub(crate) amount_due: &'static str,
    pub(crate) amount_credited: &'static str,
    payment: &'static str,
    notes: &'static str,
    page: &'static str,
}

const ENGLISH: Wording = Wording {
    invoice: "Invoice",
    credit_note: "Credit note",
    number: "Number",
    issued_on: "Date of issue",
    due_on: "Due date",
    service_period: "Service period",
    case_reference: "Case",
    purchase_order: "Purchase order",
    corrects: "Corrects invoice",
    customer_tax_number: "Your tax number",
    description: "Description",
    quantity: "Quantity",
    unit_price: "Unit price",
    amount: "Amount",
    net: "Net",
    tax_base: "on",
    gross: "Total",
    prepaid: "Paid",
    amount_due: "Amount due",
    amount_credited: "Amount credited",
    payment: "Payment",
    notes: "Notes",
    page: "Page {page} of {pages}",
};

const GERMAN: Wording = Wording {
    invoice: "Rechnung",
    credit_note: "Rechnungskorrektur",
    number: "Nummer",
    issued_on: "Rechnungsdatum",
    due_on: "Zahlbar bis",
    service_period: "Leistungszeitraum",
    case_reference: "Vorgang",
    purchase_order: "Bestellnummer",
    corrects: "Zu Rechnung",
    customer_tax_number: "Ihre USt-IdNr.",
    description: "Leistung",
    quantity: "Menge",
    unit_price: "Einzelpreis",
    amount: "Betrag",
    net: "Netto",
    tax_base: "auf",
    gross: "Gesamtbetrag",
    prepaid: "Bereits gezahlt",
    amount_due: "Zu zahlen",
    amount_credited: "Gutgeschrieben",
    payment: "Zahlung",
    notes: "Hinweise",
    page: "Seite {page} von {pages}",
};

const FRENCH: Wording = Wording {
    invoice: "Facture",
    credit_note: "Avoir",
    number: "Numéro",
    issued_on: "Date d’émission",
    due_on: "Échéance",
    service_period: "Période de prestation",
    case_reference: "Dossier",
    purchase_order: "Bon de commande",
    corrects: "Facture rectifiée",
    customer_tax_number: "Votre n° de TVA",
    description: "Désignation",
    quantity: "Quantité",
    unit_price: "Prix unitaire",
    amount: "Montant",
    net: "Total HT",
    tax_base: "sur",
    gross: "Total TTC",
    prepaid: "Déjà réglé",
    amount_due: "Net à payer",
    amount_credited: "Montant crédité",
    payment: "Règlement",
    notes: "Remarques",
    page: "Page {page} sur {pages}",
};

const SPANISH: Wording = Wording {
    invoice: "Factura",
    credit_note: "Factura rectificativa",
    number: "Número",
    issued_on: "Fecha de expedición",
    due_on: "Vencimiento",
    service_period: "Periodo de servicio",
    case_reference: "Expediente",
    purchase_order: "Orden de compra",
    corrects: "Rectifica la factura",
    customer_tax_number: "Su NIF-IVA",
    description: "Concepto",
    quantity: "Cantidad",
    unit_price: "Precio unitario",
    amount: "Importe",
    net: "Base imponible",
    tax_base: "sobre",
    gross: "Total",
    prepaid: "Ya abonado",
    amount_due: "Importe a pagar",
    amount_credited: "Importe abonado",
    payment: "Pago",
    notes: "Observaciones",
    page: "Página {page} de {pages}",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printable::uncovered;

    #[test]
    fn every_wording_is_complete_and_printable() {
        for language in Language::ALL {
            let words = serde_json::to_value(language.wording()).unwrap();
            for (name, word) in words.as_object().unwrap() {
                let word = word.as_str().unwrap();
                assert!(!word.is_empty(), "{language:?} has no word for {name}");
                assert!(uncovered(word).is_empty(), "{language:?} {name}");
            }
            assert!(language.wording().page.contains("{page}"), "{language:?}");
            assert!(language.wording().page.contains("{pages}"), "{language:?}");
        }
    }

    #[test]
    fn a_tag_with_a_region_gives_its_language() {
        assert_eq!(Language::from_tag("de-AT"), Some(Language::German));
        assert_eq!(Language::from_tag("FR"), Some(Language::French));
        assert_eq!(Language::from_tag("es_MX"), Some(Language::Spanish));
        for unknown in ["", "nl", "english", "-en"] {
            assert_eq!(Language::from_tag(unknown), None, "{unknown}");
        }
    }
}
