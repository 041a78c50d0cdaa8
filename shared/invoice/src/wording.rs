//! The words that documents bring along, in each language.

use crate::printable::uncovered;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Language of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize)]
#[serde(try_from = "String")]
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

/// A language that has no wording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("documents are written in en, de, fr or es")]
pub struct UnknownLanguage;

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

    /// The words as they are if a brand has none of its own.
    pub(crate) fn wording(self) -> Wording {
        match self {
            Self::English => ENGLISH,
            Self::German => GERMAN,
            Self::French => FRENCH,
            Self::Spanish => SPANISH,
        }
    }
}

impl TryFrom<String> for Language {
    type Error = UnknownLanguage;

    fn try_from(tag: String) -> Result<Self, UnknownLanguage> {
        Self::from_tag(&tag).ok_or(UnknownLanguage)
    }
}

/// A label that a brand cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// No document has a word of this name.
    #[error("there is no label {0}")]
    Unknown(String),
    /// No embedded font has some of its characters.
    #[error("the label {0} has characters that no font has")]
    Uncovered(String),
    /// The word is replaced in part when a document is made.
    #[error("the label {label} must contain {placeholder}")]
    Placeholder {
        /// Its name.
        label: String,
        /// What it lacks.
        placeholder: &'static str,
    },
}

/// What a word may be replaced by when a document is made.
const PLACEHOLDERS: [&str; 22] = [
    "{page}",
    "{pages}",
    "{date}",
    "{month}",
    "{of}",
    "{step}",
    "{together}",
    "{least}",
    "{earlier}",
    "{factor}",
    "{criteria}",
    "{hours}",
    "{total}",
    "{percent}",
    "{minimum}",
    "{name}",
    "{share}",
    "{base}",
    "{amount}",
    "{limit}",
    "{used}",
    "{label}",
];

/// Each word once a line: its name, then English, German, French and Spanish.
macro_rules! wording {
    ($($name:ident: $english:literal, $german:literal, $french:literal, $spanish:literal;)*) => {
        /// The words of one language. The templates read them by name.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        pub(crate) struct Wording {
            $(pub(crate) $name: Cow<'static, str>,)*
        }

        const ENGLISH: Wording = Wording { $($name: Cow::Borrowed($english),)* };
        const GERMAN: Wording = Wording { $($name: Cow::Borrowed($german),)* };
        const FRENCH: Wording = Wording { $($name: Cow::Borrowed($french),)* };
        const SPANISH: Wording = Wording { $($name: Cow::Borrowed($spanish),)* };

        impl Wording {
            fn word(&mut self, name: &str) -> Option<&mut Cow<'static, str>> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }
        }
    };
}

wording! {
    invoice:
        "Invoice",
        "Rechnung",
        "Facture",
        "Factura";
    credit_note:
        "Credit note",
        "Rechnungskorrektur",
        "Avoir",
        "Factura rectificativa";
    statement:
        "Statement of account",
        "Kontoauszug",
        "Relevé de compte",
        "Estado de cuenta";
    number:
        "Number",
        "Nummer",
        "Numéro",
        "Número";
    issued_on:
        "Date of issue",
        "Rechnungsdatum",
        "Date d’émission",
        "Fecha de expedición";
    due_on:
        "Due date",
        "Zahlbar bis",
        "Échéance",
        "Vencimiento";
    service_period:
        "Service period",
        "Leistungszeitraum",
        "Période de prestation",
        "Periodo de servicio";
    case_reference:
        "Case",
        "Vorgang",
        "Dossier",
        "Expediente";
    purchase_order:
        "Purchase order",
        "Bestellnummer",
        "Bon de commande",
        "Orden de compra";
    corrects:
        "Corrects invoice",
        "Zu Rechnung",
        "Facture rectifiée",
        "Rectifica la factura";
    customer_tax_number:
        "Your VAT number",
        "Ihre USt-IdNr.",
        "Votre n° de TVA",
        "Su NIF-IVA";
    tax_number:
        "VAT no.",
        "USt-IdNr.",
        "N° de TVA",
        "NIF-IVA";
    description:
        "Description",
        "Leistung",
        "Désignation",
        "Concepto";
    quantity:
        "Quantity",
        "Menge",
        "Quantité",
        "Cantidad";
    unit_price:
        "Unit price",
        "Einzelpreis",
        "Prix unitaire",
        "Precio unitario";
    amount:
        "Amount",
        "Betrag",
        "Montant",
        "Importe";
    carried_forward:
        "Carried forward",
        "Übertrag",
        "Report",
        "Suma anterior";
    sub_total:
        "Sub-total",
        "Zwischensumme",
        "Sous-total",
        "Suma y sigue";
    net:
        "Net",
        "Netto",
        "Total HT",
        "Base imponible";
    tax_base:
        "on",
        "auf",
        "sur",
        "sobre";
    gross:
        "Total",
        "Gesamtbetrag",
        "Total TTC",
        "Total";
    prepaid:
        "Paid",
        "Bereits gezahlt",
        "Déjà réglé",
        "Ya abonado";
    amount_due:
        "Amount due",
        "Zu zahlen",
        "Net à payer",
        "Importe a pagar";
    amount_credited:
        "Amount credited",
        "Gutgeschrieben",
        "Montant crédité",
        "Importe abonado";
    payment:
        "Payment",
        "Zahlung",
        "Règlement",
        "Pago";
    account_name:
        "Account holder",
        "Kontoinhaber",
        "Titulaire",
        "Titular";
    payment_reference:
        "Reference",
        "Verwendungszweck",
        "Référence",
        "Referencia";
    notes:
        "Notes",
        "Hinweise",
        "Remarques",
        "Observaciones";
    page:
        "Page {page} of {pages}",
        "Seite {page} von {pages}",
        "Page {page} sur {pages}",
        "Página {page} de {pages}";
    work:
        "Work on the case",
        "Arbeit am Vorgang",
        "Travail sur le dossier",
        "Trabajo en el expediente";
    minimum_charge:
        "Minimum charge",
        "Mindestbetrag",
        "Montant minimum",
        "Importe mínimo";
    above_maximum:
        "Above the agreed maximum",
        "Über dem vereinbarten Höchstbetrag",
        "Au-delà du plafond convenu",
        "Por encima del máximo acordado";
    vat:
        "VAT",
        "USt.",
        "TVA",
        "IVA";
    reverse_charge:
        "VAT: reverse charge",
        "USt.: Reverse Charge",
        "TVA : autoliquidation",
        "IVA: inversión del sujeto pasivo";
    exempt:
        "VAT: exempt",
        "USt.: steuerfrei",
        "TVA : exonérée",
        "IVA: exento";
    reverse_charge_note:
        "Reverse charge: the recipient is liable for the VAT (Art. 196 of Directive 2006/112/EC).",
        "Steuerschuldnerschaft des Leistungsempfängers (Art. 196 der Richtlinie 2006/112/EG).",
        "Autoliquidation : la TVA est due par le preneur (art. 196 de la directive 2006/112/CE).",
        "Inversión del sujeto pasivo: el destinatario es el deudor del IVA (art. 196 de la Directiva 2006/112/CE).";
    exempt_note:
        "Exempt from VAT.",
        "Umsatzsteuerfrei.",
        "Exonéré de TVA.",
        "Exento de IVA.";
    hours_note:
        "Each position bills the hours shown: minutes divided by 60, rounded to two decimals, times the hourly rate.",
        "Jede Position berechnet die gezeigten Stunden: Minuten durch 60, auf zwei Stellen gerundet, mal Stundensatz.",
        "Chaque ligne facture les heures affichées : minutes divisées par 60, arrondies à deux décimales, fois le taux horaire.",
        "Cada línea factura las horas indicadas: minutos entre 60, redondeados a dos decimales, por la tarifa horaria.";
    minutes_note:
        "Positions in minutes bill each minute at a sixtieth of the hourly rate.",
        "Positionen in Minuten berechnen je Minute ein Sechzigstel des Stundensatzes.",
        "Les lignes en minutes facturent chaque minute au soixantième du taux horaire.",
        "Las líneas en minutos facturan cada minuto a un sexagésimo de la tarifa horaria.";
    terms:
        "Payable by {date} without deduction.",
        "Zahlbar bis {date} ohne Abzug.",
        "Payable au plus tard le {date}, sans escompte.",
        "Pagadero hasta el {date} sin descuento.";
    credit_terms:
        "The amount is set off against what is open, or paid back.",
        "Der Betrag wird mit offenen Forderungen verrechnet oder erstattet.",
        "Le montant est imputé sur les sommes dues ou remboursé.",
        "El importe se compensa con lo pendiente o se devuelve.";
    reason:
        "Reason",
        "Grund",
        "Motif",
        "Motivo";
    annex:
        "How each amount comes about",
        "So kommt jeder Betrag zustande",
        "Comment chaque montant est calculé",
        "Cómo se calcula cada importe";
    annex_step:
        "Step",
        "Schritt",
        "Étape",
        "Paso";
    annex_before:
        "Before",
        "Vorher",
        "Avant",
        "Antes";
    annex_after:
        "After",
        "Nachher",
        "Après",
        "Después";
    annex_omitted:
        "How each amount comes about fills more pages than are printed here; the portal has it for each position.",
        "Wie jeder Betrag zustande kommt, füllt mehr Seiten, als hier gedruckt werden; im Portal steht es zu jeder Position.",
        "Le détail du calcul dépasse ce qui est imprimé ici ; le portail le donne pour chaque ligne.",
        "El detalle del cálculo ocupa más páginas de las que se imprimen aquí; el portal lo muestra para cada línea.";
    account:
        "Account",
        "Konto",
        "Compte",
        "Cuenta";
    period:
        "Period",
        "Zeitraum",
        "Période",
        "Periodo";
    statement_date:
        "Date",
        "Datum",
        "Date",
        "Fecha";
    movement:
        "Movement",
        "Vorgang",
        "Mouvement",
        "Movimiento";
    charged:
        "Charged",
        "Belastung",
        "Débit",
        "Cargo";
    credited:
        "Credited",
        "Gutschrift",
        "Crédit",
        "Abono";
    balance:
        "Balance",
        "Saldo",
        "Solde",
        "Saldo";
    opening_balance:
        "Opening balance",
        "Anfangssaldo",
        "Solde initial",
        "Saldo inicial";
    closing_balance:
        "Closing balance",
        "Endsaldo",
        "Solde final",
        "Saldo final";
    payment_received:
        "Payment",
        "Zahlungseingang",
        "Règlement reçu",
        "Pago recibido";
    ageing:
        "Open by age",
        "Offen nach Fälligkeit",
        "Encours par ancienneté",
        "Pendiente por antigüedad";
    not_due:
        "Not yet due",
        "Noch nicht fällig",
        "Non échu",
        "No vencido";
    late_30:
        "1–30 days late",
        "1–30 Tage überfällig",
        "1–30 jours de retard",
        "1–30 días de retraso";
    late_60:
        "31–60 days late",
        "31–60 Tage überfällig",
        "31–60 jours de retard",
        "31–60 días de retraso";
    late_90:
        "61–90 days late",
        "61–90 Tage überfällig",
        "61–90 jours de retard",
        "61–90 días de retraso";
    late_more:
        "More than 90 days late",
        "Über 90 Tage überfällig",
        "Plus de 90 jours de retard",
        "Más de 90 días de retraso";
    in_credit:
        "In your favour",
        "Ihr Guthaben",
        "En votre faveur",
        "A su favor";
    retainer_fee:
        "Retainer {month}",
        "Retainer {month}",
        "Forfait {month}",
        "Iguala {month}";
    prepaid_hours:
        "Prepaid hours",
        "Vorausbezahlte Stunden",
        "Heures prépayées",
        "Horas prepagadas";
    origin_entry:
        "Time entry",
        "Zeiteintrag",
        "Saisie de temps",
        "Registro de tiempo";
    origin_milestone:
        "Milestone",
        "Meilenstein",
        "Jalon",
        "Hito";
    origin_expense:
        "Expense",
        "Auslage",
        "Frais",
        "Gasto";
    origin_retainer:
        "Retainer",
        "Retainer",
        "Forfait",
        "Iguala";
    origin_block:
        "Block of hours",
        "Stundenpaket",
        "Bloc d’heures",
        "Bolsa de horas";
    origin_minimum:
        "Minimum charge",
        "Mindestbetrag",
        "Montant minimum",
        "Importe mínimo";
    terms_since:
        "contract as of {date}",
        "Vertrag in der Fassung ab {date}",
        "contrat dans sa version du {date}",
        "contrato en su versión del {date}";
    step_worked:
        "Time as logged",
        "Erfasste Zeit",
        "Temps saisi",
        "Tiempo registrado";
    step_worked_part:
        "Part of {of} min logged; working hours begin or end here",
        "Teil von {of} erfassten min; hier beginnt oder endet die Arbeitszeit",
        "Partie de {of} min saisies ; les heures ouvrées commencent ou finissent ici",
        "Parte de {of} min registrados; aquí empieza o acaba el horario laboral";
    step_rounded_up:
        "Rounded up to {step} min {together}",
        "Aufgerundet auf {step} min {together}",
        "Arrondi à {step} min au-dessus {together}",
        "Redondeado hacia arriba a {step} min {together}";
    step_rounded_nearest:
        "Rounded to the nearest {step} min {together}",
        "Gerundet auf {step} min {together}",
        "Arrondi aux {step} min les plus proches {together}",
        "Redondeado a los {step} min más cercanos {together}";
    together_entry:
        "for each entry",
        "je Eintrag",
        "par saisie",
        "por registro";
    together_day:
        "over the day",
        "über den Tag",
        "sur la journée",
        "por día";
    together_case:
        "over the case",
        "über den Vorgang",
        "sur le dossier",
        "por expediente";
    together_invoice:
        "over the invoice",
        "über die Rechnung",
        "sur la facture",
        "por factura";
    step_least:
        "at least {least} min",
        "mindestens {least} min",
        "au moins {least} min",
        "al menos {least} min";
    step_earlier:
        "{earlier} min came before",
        "{earlier} min davor",
        "{earlier} min avant",
        "{earlier} min antes";
    step_part:
        "Part of it, after {earlier} min on other positions",
        "Teil davon, nach {earlier} min auf anderen Positionen",
        "Partie de ce temps, après {earlier} min sur d’autres lignes",
        "Parte del tiempo, tras {earlier} min en otras líneas";
    step_hours:
        "Minutes ÷ 60, rounded to two decimals",
        "Minuten ÷ 60, auf zwei Stellen gerundet",
        "Minutes ÷ 60, arrondi à deux décimales",
        "Minutos ÷ 60, redondeado a dos decimales";
    step_paid_retainer:
        "Included in the retainer of {month}",
        "Im Retainer {month} enthalten",
        "Compris dans le forfait {month}",
        "Incluido en la iguala de {month}";
    step_paid_block:
        "Paid for by a block of hours",
        "Durch ein Stundenpaket bezahlt",
        "Payé par un bloc d’heures",
        "Pagado con una bolsa de horas";
    step_factor:
        "Outside of working hours: × {factor}",
        "Außerhalb der Arbeitszeit: × {factor}",
        "Hors heures ouvrées : × {factor}",
        "Fuera del horario laboral: × {factor}";
    rate_standard:
        "Standard rate of the contract",
        "Standardsatz des Vertrags",
        "Taux standard du contrat",
        "Tarifa estándar del contrato";
    rate_card:
        "Rate card: {criteria}",
        "Preisliste: {criteria}",
        "Grille tarifaire : {criteria}",
        "Tarifario: {criteria}";
    rate_since:
        "since {date}",
        "seit {date}",
        "depuis le {date}",
        "desde el {date}";
    rate_graduated:
        "Tier above {hours} h",
        "Staffel über {hours} h",
        "Tranche au-delà de {hours} h",
        "Tramo por encima de {hours} h";
    rate_volume:
        "Tier above {hours} h for all hours; the bill has {total} h",
        "Staffel über {hours} h für alle Stunden; die Rechnung hat {total} h",
        "Tranche au-delà de {hours} h pour toutes les heures ; la facture compte {total} h",
        "Tramo por encima de {hours} h para todas las horas; la factura tiene {total} h";
    rate_overage:
        "Beyond the retainer’s hours",
        "Über die Stunden des Retainers hinaus",
        "Au-delà des heures du forfait",
        "Por encima de las horas de la iguala";
    step_fee:
        "Agreed amount",
        "Vereinbarter Betrag",
        "Montant convenu",
        "Importe acordado";
    step_marked_up:
        "Cost plus {percent}",
        "Kosten zuzüglich {percent}",
        "Coût plus {percent}",
        "Coste más {percent}";
    step_true_up:
        "Minimum charge of {minimum} less what the work costs",
        "Mindestbetrag von {minimum} abzüglich der Arbeit",
        "Montant minimum de {minimum} moins le travail",
        "Importe mínimo de {minimum} menos el trabajo";
    step_discount:
        "Share of “{name}”: {share}",
        "Anteil an „{name}“: {share}",
        "Part de « {name} » : {share}",
        "Parte de «{name}»: {share}";
    step_cap:
        "Agreed maximum is reached",
        "Vereinbarter Höchstbetrag ist erreicht",
        "Plafond convenu atteint",
        "Se alcanza el máximo acordado";
    whole:
        "The document as a whole",
        "Das Dokument als Ganzes",
        "Le document dans son ensemble",
        "El documento en conjunto";
    whole_discount:
        "“{name}”: {percent} of {base}",
        "„{name}“: {percent} von {base}",
        "« {name} » : {percent} de {base}",
        "«{name}»: {percent} de {base}";
    whole_discount_fixed:
        "“{name}”: {amount}, at most {base}",
        "„{name}“: {amount}, höchstens {base}",
        "« {name} » : {amount}, au plus {base}",
        "«{name}»: {amount}, como máximo {base}";
    whole_cap:
        "Work costs at most {limit}; earlier invoices used {used}",
        "Arbeit kostet höchstens {limit}; frühere Rechnungen nutzten {used}",
        "Le travail coûte au plus {limit} ; les factures précédentes ont utilisé {used}",
        "El trabajo cuesta como máximo {limit}; facturas anteriores usaron {used}";
    whole_tax:
        "{label} on {base}",
        "{label} auf {base}",
        "{label} sur {base}",
        "{label} sobre {base}";
    whole_tax_by_line:
        "{label} on {base}, rounded for each position",
        "{label} auf {base}, je Position gerundet",
        "{label} sur {base}, arrondi par ligne",
        "{label} sobre {base}, redondeado por línea";
    due_short:
        "due {date}",
        "fällig {date}",
        "échéance {date}",
        "vence {date}";
}

impl Wording {
    /// Puts a brand's own word in the place of the one of this name.
    ///
    /// # Errors
    /// [`LabelError`] if there is none, or the new word lacks a placeholder of the old one.
    pub(crate) fn replace(&mut self, name: &str, word: String) -> Result<(), LabelError> {
        let old = self.word(name).ok_or_else(|| LabelError::Unknown(name.chars().take(40).collect()))?;
        match PLACEHOLDERS
            .into_iter()
            .find(|placeholder| old.contains(placeholder) && !word.contains(placeholder))
        {
            Some(placeholder) => Err(LabelError::Placeholder { label: name.to_owned(), placeholder }),
            None if !uncovered(&word).is_empty() => Err(LabelError::Uncovered(name.to_owned())),
            None => {
                *old = Cow::Owned(word);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wording_is_complete_and_printable() {
        let english = serde_json::to_value(ENGLISH).unwrap();
        for language in Language::ALL {
            let words = serde_json::to_value(language.wording()).unwrap();
            for (name, word) in words.as_object().unwrap() {
                let word = word.as_str().unwrap();
                assert!(!word.is_empty(), "{language:?} has no word for {name}");
                assert!(uncovered(word).is_empty(), "{language:?} {name}");
                for placeholder in PLACEHOLDERS {
                    let expected = english[name].as_str().unwrap().contains(placeholder);
                    assert_eq!(word.contains(placeholder), expected, "{language:?} {name} {placeholder}");
                }
            }
        }
    }

    #[test]
    fn a_word_is_replaced_with_its_placeholders_only() {
        let mut words = ENGLISH;
        words.replace("invoice", "Bill".to_owned()).unwrap();
        assert_eq!(words.invoice, "Bill");
        let unknown = words.replace("invioce", "Bill".to_owned());
        assert_eq!(unknown, Err(LabelError::Unknown("invioce".to_owned())));
        let error = words.replace("page", "{page}".to_owned()).unwrap_err();
        assert_eq!(error.to_string(), "the label page must contain {pages}");
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
