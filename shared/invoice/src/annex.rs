//! The annex: how each amount comes about, step by step, with the value before and after each.

use crate::compose;
use crate::voucher::Figures;
use crate::wording::Wording;
use crate::{Annex, Language, MAX_STEPS, MAX_WORKINGS, Working, WorkingStep};
use portico_domain::billing::{
    Criteria, Derivation, DiscountRule, Factor, Increment, LineDerivation, Origin, PaidBy, RateSource,
    Rounding, Step, TaxRounding, Together,
};
use rust_decimal::Decimal;

/// The annex of a derivation; `None` if it is longer than is printed: more than [`MAX_WORKINGS`] positions, or more
/// than [`MAX_STEPS`] steps of one.
pub(crate) fn of(
    derivation: &Derivation,
    figures: &Figures,
    words: &Wording,
    language: Language,
) -> Option<Annex> {
    let pen = Pen { words, language, derivation };
    // One more for the document as a whole.
    if derivation.lines.len() >= MAX_WORKINGS {
        return None;
    }
    let mut workings: Vec<Working> =
        (0..).zip(&derivation.lines).map(|(place, line)| pen.working(place, line, figures)).collect();
    workings.push(pen.whole());
    let fits = workings.iter().all(|working| working.steps.len() <= MAX_STEPS);
    fits.then_some(Annex { workings })
}

struct Pen<'a> {
    words: &'a Wording,
    language: Language,
    derivation: &'a Derivation,
}

fn step(what: String, before: String, after: String) -> WorkingStep {
    WorkingStep { what, before, after }
}

fn fill(text: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}

fn minutes(count: u32) -> String {
    format!("{count}\u{A0}min")
}

impl Pen<'_> {
    fn amount(&self, value: Decimal) -> String {
        self.language.decimal(value, self.derivation.currency.decimals())
    }

    fn exact(&self, value: Decimal) -> String {
        self.language.exact(value, self.derivation.currency.decimals())
    }

    fn hours(&self, value: Decimal) -> String {
        format!("{}\u{A0}h", self.language.decimal(value, 2))
    }

    fn hours_of(&self, minutes: u32) -> String {
        let hours = Decimal::from(minutes).checked_div(Decimal::from(60)).unwrap_or_default();
        self.language.decimal(hours.round_dp(2).normalize(), 0)
    }

    fn working(&self, place: usize, line: &LineDerivation, figures: &Figures) -> Working {
        let title = figures.lines.get(place).map_or_else(String::new, |shown| {
            compose::description(shown, Some(line.origin), self.words, self.language)
        });
        let (origin, id) = match line.origin {
            Origin::Entry(id) => (&self.words.origin_entry, id.to_string()),
            Origin::Milestone(id) => (&self.words.origin_milestone, id.to_string()),
            Origin::Expense(id) => (&self.words.origin_expense, id.to_string()),
            Origin::Retainer(period) => (&self.words.origin_retainer, period.to_string()),
            Origin::Block(id) => (&self.words.origin_block, id.to_string()),
            Origin::MinimumCharge => (&self.words.origin_minimum, String::new()),
        };
        let terms =
            line.terms_from.map(|day| fill(&self.words.terms_since, &[("{date}", &self.language.date(day))]));
        let source = format!("{origin} {id}").trim_end().to_owned();
        let when = figures.lines.get(place).map(|shown| compose::who_and_when(shown, self.language));
        let tax = compose::tax_label(line.treatment, self.words, self.language);
        let basis: Vec<String> = when.into_iter().chain([source]).chain(terms).chain([tax]).collect();
        Working {
            position: place.saturating_add(1).to_string(),
            title,
            basis: basis.join(" · "),
            steps: line.steps.iter().flat_map(|step| self.steps(step)).collect(),
        }
    }

    fn steps(&self, of: &Step) -> Vec<WorkingStep> {
        let words = self.words;
        match of {
            Step::Worked { minutes: some, of } if some == of => {
                vec![step(words.step_worked.to_string(), String::new(), minutes(*some))]
            }
            Step::Worked { minutes: some, of } => {
                let what = fill(&words.step_worked_part, &[("{of}", &of.to_string())]);
                vec![step(what, minutes(*of), minutes(*some))]
            }
            Step::Increment { increment, .. } if *increment == Increment::AS_LOGGED => Vec::new(),
            Step::Increment { increment, earlier, before, after, .. } => {
                vec![step(self.increment(increment, *earlier), minutes(*before), minutes(*after))]
            }
            Step::Part { before, after, .. } if before == after => Vec::new(),
            Step::Part { skipped, before, after } => {
                let what = fill(&words.step_part, &[("{earlier}", &skipped.to_string())]);
                vec![step(what, minutes(*before), minutes(*after))]
            }
            Step::Hours { before, after } => {
                vec![step(words.step_hours.to_string(), minutes(*before), self.hours(*after))]
            }
            Step::Paid { by } => {
                let what = match by {
                    PaidBy::Retainer(of) => {
                        fill(&words.step_paid_retainer, &[("{month}", &self.language.month_of(of.first()))])
                    }
                    PaidBy::Block(id) => format!("{} {id}", words.step_paid_block),
                };
                vec![step(what, String::new(), self.amount(Decimal::ZERO))]
            }
            Step::Price { quantity, per, base, source, factor, rate, before, after } => {
                let mut steps = vec![step(self.source(source), String::new(), self.amount(base.get()))];
                steps.extend(factor.map(|factor| self.factor(factor, base.get(), *rate)));
                let quantity = if *per == 1 {
                    self.hours(*quantity)
                } else {
                    format!("{}\u{A0}min ÷ {per}", self.language.decimal(quantity.normalize(), 0))
                };
                let what = format!("{quantity} × {}", self.amount(*rate));
                steps.push(step(what, self.exact(*before), self.amount(*after)));
                steps
            }
            Step::Fee { after } => vec![step(words.step_fee.to_string(), String::new(), self.amount(*after))],
            Step::MarkedUp { cost, markup, before, after } => {
                let what =
                    fill(&words.step_marked_up, &[("{percent}", &self.language.percent(markup.get()))]);
                let what = format!("{what}: {} → {}", self.amount(*cost), self.exact(*before));
                vec![step(what, self.exact(*before), self.amount(*after))]
            }
            Step::TrueUp { minimum, reached, after } => {
                let what = fill(&words.step_true_up, &[("{minimum}", &self.amount(*minimum))]);
                vec![step(what, self.amount(*reached), self.amount(*after))]
            }
            Step::Discount { discount, before, share, after } => {
                let name =
                    self.derivation.discounts.get(*discount).map(|of| of.name.as_str()).unwrap_or_default();
                let share = format!("−{}", self.amount(*share));
                let what = fill(&words.step_discount, &[("{share}", &share), ("{name}", name)]);
                vec![step(what, self.amount(*before), self.amount(*after))]
            }
            Step::Cap { before, after } => {
                vec![step(words.step_cap.to_string(), self.amount(*before), self.amount(*after))]
            }
        }
    }

    fn increment(&self, increment: &Increment, earlier: u32) -> String {
        let words = self.words;
        let together = match increment.together {
            Together::Entry => &words.together_entry,
            Together::Day => &words.together_day,
            Together::Case => &words.together_case,
            Together::Invoice => &words.together_invoice,
        };
        let text = match increment.rounding {
            Rounding::Up => &words.step_rounded_up,
            Rounding::Nearest => &words.step_rounded_nearest,
        };
        let steps = increment.step.minutes().to_string();
        let mut parts = vec![fill(text, &[("{step}", &steps), ("{together}", together)])];
        let least = u16::from(increment.least);
        if least > 0 {
            parts.push(fill(&words.step_least, &[("{least}", &least.to_string())]));
        }
        if earlier > 0 {
            parts.push(fill(&words.step_earlier, &[("{earlier}", &earlier.to_string())]));
        }
        parts.join("; ")
    }

    fn factor(&self, factor: Factor, base: Decimal, rate: Decimal) -> WorkingStep {
        let factor = self.language.decimal(factor.get().normalize(), 0);
        step(fill(&self.words.step_factor, &[("{factor}", &factor)]), self.amount(base), self.amount(rate))
    }

    fn source(&self, source: &RateSource) -> String {
        let words = self.words;
        match source {
            RateSource::Standard => words.rate_standard.to_string(),
            RateSource::Card { criteria, from } => {
                let Criteria { person, work_type, role } = criteria;
                let named: Vec<&str> =
                    [person, work_type, role].into_iter().flatten().map(String::as_str).collect();
                let since = from.map(|day| fill(&words.rate_since, &[("{date}", &self.language.date(day))]));
                let card = fill(&words.rate_card, &[("{criteria}", &named.join(" · "))]);
                std::iter::once(card).chain(since).collect::<Vec<_>>().join(", ")
            }
            RateSource::Graduated { above } => {
                fill(&words.rate_graduated, &[("{hours}", &self.hours_of(*above))])
            }
            RateSource::Volume { above, of } => {
                let hours = [("{hours}", &*self.hours_of(*above)), ("{total}", &*self.hours_of(*of))];
                fill(&words.rate_volume, &hours)
            }
            RateSource::Overage => words.rate_overage.to_string(),
        }
    }

    /// Discounts, the cap and taxes are of the document and not of a line.
    fn whole(&self) -> Working {
        let (words, language, derivation) = (self.words, self.language, self.derivation);
        let mut steps = Vec::new();
        for discount in &derivation.discounts {
            let base = language.money(discount.base);
            let what = match discount.rule {
                DiscountRule::Percent(percent) => {
                    let percent = language.percent(percent.get());
                    fill(
                        &words.whole_discount,
                        &[("{percent}", &percent), ("{base}", &base), ("{name}", &discount.name)],
                    )
                }
                DiscountRule::Fixed(amount) => {
                    let amount = self.amount(amount);
                    let values = [("{amount}", &*amount), ("{base}", &*base), ("{name}", &*discount.name)];
                    fill(&words.whole_discount_fixed, &values)
                }
            };
            steps.push(step(what, self.exact(discount.before), language.money(discount.after)));
        }
        if let Some(cap) = &derivation.cap {
            let (limit, used) = (language.money(cap.limit), language.money(cap.used));
            let what = fill(&words.whole_cap, &[("{limit}", &limit), ("{used}", &used)]);
            steps.push(step(what, language.money(cap.before), language.money(cap.after)));
        }
        let text = match derivation.tax_rounding {
            TaxRounding::Total => &words.whole_tax,
            TaxRounding::Line => &words.whole_tax_by_line,
        };
        for tax in &derivation.taxes {
            let label = compose::tax_label(tax.treatment, words, language);
            let what = fill(text, &[("{label}", &label), ("{base}", &language.money(tax.base))]);
            steps.push(step(what, self.exact(tax.before), language.money(tax.after)));
        }
        Working { position: String::new(), title: words.whole.to_string(), basis: String::new(), steps }
    }
}
