//! Lists of invoices on DynamoDB: the newest first, and with a filter page by page the same as all at once.

use std::collections::BTreeSet;

use jiff::{ToSpan, civil::Date};
use portico_domain::{
    CaseId, InvoiceId, Money,
    billing::{Invoice, InvoiceFilter, InvoiceState, Series, Settlement, Subject},
};
use portico_store::PageSize;

use crate::world::{World, account, bits, other_account};

/// More than a list with a filter reads for one page.
const INVOICES: u16 = 430;
/// Most pages that a list of them has.
const PAGES_MAX: usize = 500;

fn today() -> Date {
    "2026-11-22".parse().unwrap()
}

/// One of every state, of five cases, several a day over four months.
fn varied(like: &Invoice, place: u16) -> Invoice {
    let issued_on = "2026-07-01".parse::<Date>().unwrap().saturating_add(i64::from(place / 4).days());
    let zero = Money::zero(like.currency);
    let half = Money::from_minor(like.gross.minor() / 2, like.currency);
    let open = like.gross.minus(half).unwrap();
    let settlement = match place % 7 {
        0 => Settlement { paid: like.gross, credited: zero, open: zero, held: zero },
        1 => Settlement { paid: zero, credited: like.gross, open: zero, held: zero },
        2 => Settlement { paid: half, credited: zero, open, held: zero },
        3 => Settlement { paid: half, credited: zero, open, held: open },
        _ => Settlement { paid: zero, credited: zero, open: like.gross, held: zero },
    };
    let case = CaseId::from_uuid(bits(0x700 + u128::from(place % 5)));
    Invoice {
        id: InvoiceId::from_uuid(bits(0x10_000 + u128::from(place.wrapping_mul(31)))),
        number: Series::Invoices.number(2026, u64::from(place) + 1),
        subject: Subject::Case { case, number: None, subject: "Slow".to_owned() },
        issued_on,
        due_on: issued_on.saturating_add(30.days()),
        settlement,
        version: 1,
        ..like.clone()
    }
}

#[tokio::test]
async fn a_filtered_list_is_the_same_page_by_page_as_all_at_once() {
    let world = World::start().await;
    let like = world.issue_invoice().await;
    let mut all = vec![like.clone()];
    for place in 0..INVOICES {
        all.push(varied(&like, place));
        world.store.save_invoice(all.last().unwrap(), &[]).await.unwrap();
        if place % 10 == 0 {
            // Of somebody else there are as many on the same days.
            let theirs = Invoice { account: other_account(), ..all.last().unwrap().clone() };
            world.store.save_invoice(&theirs, &[]).await.unwrap();
        }
    }
    all.sort_by_key(|invoice| std::cmp::Reverse((invoice.issued_on, invoice.number.to_string())));
    let day = |text: &str| Some(text.parse::<Date>().unwrap());
    let in_state = |state| InvoiceFilter { state: Some((state, today())), ..InvoiceFilter::default() };
    let filters = [
        InvoiceFilter::default(),
        in_state(InvoiceState::Open),
        in_state(InvoiceState::PartlyPaid),
        in_state(InvoiceState::Paid),
        in_state(InvoiceState::Overdue),
        in_state(InvoiceState::Void),
        InvoiceFilter { from: day("2026-08-15"), to: day("2026-08-15"), ..InvoiceFilter::default() },
        InvoiceFilter { from: day("2026-09-30"), ..in_state(InvoiceState::Overdue) },
        InvoiceFilter { to: day("2026-07-01"), ..InvoiceFilter::default() },
        InvoiceFilter { case: Some(CaseId::from_uuid(bits(0x703))), ..InvoiceFilter::default() },
        // Nothing is found, however far one reads.
        InvoiceFilter { case: Some(CaseId::from_uuid(bits(0x7ff))), ..InvoiceFilter::default() },
        InvoiceFilter { from: day("2027-01-01"), ..InvoiceFilter::default() },
        InvoiceFilter { from: day("2026-08-16"), to: day("2026-08-15"), ..InvoiceFilter::default() },
    ];
    let mut states = BTreeSet::new();
    for filter in filters {
        let expected: Vec<&Invoice> = all.iter().filter(|invoice| filter.lets_through(invoice)).collect();
        states.extend(filter.state.filter(|_| !expected.is_empty()).map(|(state, _)| format!("{state:?}")));
        for size in [7, 100] {
            let size = PageSize::new(size).unwrap();
            let (mut found, mut cursor) = (Vec::new(), None);
            for _ in 0..PAGES_MAX {
                let page = world.store.find_invoices(&world.tenant(), &filter, size, cursor).await;
                let page = page.unwrap().unwrap();
                assert!(page.items.len() <= usize::from(size.get()));
                found.extend(page.items);
                cursor = page.next.map(|next| next.to_string().parse().unwrap());
                if cursor.is_none() {
                    break;
                }
            }
            assert!(cursor.is_none(), "{filter:?} ends");
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{filter:?}, {size:?}");
            assert!(found.iter().all(|invoice| invoice.account == account()));
        }
    }
    assert_eq!(states.len(), 5, "each state was found: {states:?}");
}

/// A cursor of other days leads nowhere, and does not make the database refuse.
#[tokio::test]
async fn a_cursor_of_other_days_is_no_cursor() {
    let world = World::start().await;
    let like = world.issue_invoice().await;
    for place in 0..3 {
        world.store.save_invoice(&varied(&like, place), &[]).await.unwrap();
    }
    let one = PageSize::new(1).unwrap();
    let july = InvoiceFilter { to: Some("2026-07-31".parse().unwrap()), ..InvoiceFilter::default() };
    let page = world.store.find_invoices(&world.tenant(), &july, one, None).await.unwrap().unwrap();
    let august = InvoiceFilter { from: Some("2026-08-01".parse().unwrap()), ..InvoiceFilter::default() };
    assert!(world.store.find_invoices(&world.tenant(), &august, one, page.next).await.unwrap().is_err());
}
