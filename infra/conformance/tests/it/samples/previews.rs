//! Bills before they are bills.

use portico_domain::contracts::Contract;
use portico_store::Person;
use serde_json::{Value, json};

use super::{
    Sample,
    billing::{billed_by_the_month, counted_from_october},
    http::assert_refused,
};
use crate::{
    stack::now,
    world::{MANAGER, MEMBER, account, closed_case, contract, other_account, user},
};

/// October is over and not billed yet, November runs; both are of one contract.
pub async fn shows_months(sample: &Sample) {
    let world = &sample.world;
    let contract = billed_by_the_month(world).await;
    counted_from_october(world, &contract).await;
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let contract = &answer["body"]["contracts"][0];
    let months = contract["months"].as_array().unwrap();
    let named = |month: &Value| (month["month"].clone(), month["over"].clone());
    assert_eq!(
        months.iter().map(named).collect::<Vec<_>>(),
        [(json!("2026-10"), json!(true)), (json!("2026-11"), json!(false))]
    );
    // 95 and 20 minutes at 120 an hour: 1.58 h and 0.33 h.
    assert_eq!(months[1]["bill"]["net"]["amount"], "229.20");
    assert_eq!(
        months[1]["bill"]["time"],
        json!({ "worked_minutes": 115, "billed_minutes": 115, "hours": "1.91" })
    );
    // 15 of November's 21 working days have passed. 115 minutes are 46 more on the other 6: 0.77 h.
    let forecast = &months[1]["forecast"];
    assert_eq!((&forecast["days_passed"], &forecast["days"]), (&json!(15), &json!(21)));
    assert_eq!(forecast["net"]["amount"], "321.60");
    assert!(months[0]["forecast"].is_null(), "what is over will not be more");
}

pub async fn shows_a_case(sample: &Sample) {
    let answer = sample.run().await;
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let [case] = answer["body"]["cases"].as_array().unwrap().as_slice() else { panic!("{answer}") };
    assert_eq!((&case["case"], &case["billed"]), (&json!(closed_case()), &json!("by_case")));
    assert_eq!(case["bill"]["gross"]["amount"], "272.75");
}

pub async fn case_t12_hides_a_foreign_contract(sample: &Sample) {
    let world = &sample.world;
    let id = "ctr_000000000000700080000000000000ff".parse().unwrap();
    let foreign = Contract { id, account: other_account(), ..contract() };
    world.store.save_contract(&foreign, &world.bill_changed()).await.unwrap();
    assert_refused(&sample.run().await, 404, "not-found");
}

pub async fn refuses_a_member(sample: &Sample) {
    assert_refused(&sample.run().await, 403, "forbidden");
}

/// The manager hears that the bill has changed, the member does not, and nobody hears more than whose it is.
pub async fn case_t05_tells_who_may_see_money(sample: &Sample) {
    let world = &sample.world;
    for (connection, listener) in [("of-manager", MANAGER), ("of-member", MEMBER)] {
        let Some(Person::Client(person)) = world.store.identify(&user(listener)).await.unwrap() else {
            panic!("{listener} is no client")
        };
        world.store.connect(connection, &person, now()).await.unwrap();
    }
    assert_eq!(sample.run().await, json!({ "batchItemFailures": [] }));
    let pushed = sample.guarded.guard.pushed();
    let [(connection, Some(message))] = pushed.iter().collect::<Vec<_>>()[..] else { panic!("{pushed:?}") };
    assert_eq!(connection, "of-manager");
    let news: Value = serde_json::from_str(message).unwrap();
    assert_eq!(news, json!({ "type": "billing.changed", "account": account() }));
}
