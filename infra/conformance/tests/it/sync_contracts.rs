//! What is agreed and paid for, from the org to the bill: each clause that somebody fills in there changes what is billed
//! here, whichever record of a contract was named.

use fake_salesforce::demo::{BRIGHTWATER, NORDHAVEN};
use portico_domain::{
    CaseId, SalesforceId,
    billing::{self, Bill, Carry, Expense, Input, Period, Scope, TimeEntry},
    contracts::{BilledBy, Contract, Outlay},
};
use portico_salesforce::records::Object;
use serde_json::{Map, Value, json};

use crate::{
    agent::Agent,
    sync::{message, of},
    world::{Guarded, World, account, lambda_event, other_account},
};

struct Scene {
    world: World,
    sync: Guarded,
    agent: Agent,
}

fn day(text: &str) -> jiff::civil::Date {
    text.parse().unwrap()
}

/// A contract of 120.00 an hour and 19 % from the beginning of 2026.
fn contract() -> Value {
    json!({
        "Name": "Rollout", "Account__c": NORDHAVEN.id, "Currency__c": "EUR", "Hourly_Rate__c": 120, "Tax_Rate__c": 19,
        "Payment_Terms_Days__c": 14, "Valid_From__c": "2026-01-01", "Time_Zone__c": "Europe/Berlin",
    })
}

/// `fields` with others, or with other values.
fn with(mut fields: Value, others: Value) -> Value {
    let Value::Object(others) = others else { panic!("{others}") };
    fields.as_object_mut().unwrap().extend(others);
    fields
}

/// Net and tax, as people write them.
fn sums(bill: &Bill) -> (String, String) {
    (bill.net.to_decimal().to_string(), bill.tax.to_decimal().to_string())
}

impl Scene {
    async fn start() -> Self {
        let world = World::start().await;
        let sync = world.boot("salesforce-sync").await;
        let agent = Agent::sign_in(&world).await;
        Self { world, sync, agent }
    }

    async fn outcome(&self, records: &[(Object, SalesforceId)]) -> Value {
        let event = json!({ "Records": [message(records)] });
        let answer = self.sync.function.invoke(lambda_event(&event.to_string())).await.unwrap();
        assert_eq!(self.sync.guard.denied(), []);
        serde_json::from_str::<Value>(answer.get()).unwrap()["batchItemFailures"].clone()
    }

    async fn changed(&self, records: &[(Object, SalesforceId)]) {
        assert_eq!(self.outcome(records).await, json!([]));
    }

    /// Makes a record, and the portal hears of it alone.
    async fn create(&self, object: Object, fields: Value) -> SalesforceId {
        let record = self.agent.create(object.name(), fields).await;
        self.changed(&[(object, record)]).await;
        record
    }

    async fn update(&self, object: Object, record: SalesforceId, fields: Value) {
        self.agent.update(object.name(), record, fields).await;
        self.changed(&[(object, record)]).await;
    }

    async fn delete(&self, object: Object, record: SalesforceId) {
        self.agent.delete(object.name(), record).await;
        self.changed(&[(object, record)]).await;
    }

    /// A case on which somebody worked: 50 minutes across the end of working hours, 95 minutes on the next day.
    async fn worked(&self) -> (SalesforceId, CaseId) {
        let fields = json!({ "Subject": "Rollout", "AccountId": NORDHAVEN.id });
        let case = self.create(Object::Case, fields).await;
        let entry = |day: &str, minutes: u32, others: Value| {
            let fields = json!({ "Case__c": case, "Work_Date__c": day, "Minutes__c": minutes });
            with(fields, others)
        };
        let evening = json!({ "Role__c": "Architect", "Started_At__c": "2026-11-16T16:40:00.000+0000" });
        self.create(Object::TimeEntry, entry("2026-11-16", 50, evening)).await;
        let travel = json!({ "Work_Type__c": "Travel", "Person__c": "Sam Keller" });
        self.create(Object::TimeEntry, entry("2026-11-17", 95, travel)).await;
        let known = self.world.store.case_of(case).await.unwrap().unwrap();
        (case, known.id)
    }

    async fn known(&self, contract: SalesforceId) -> Option<Contract> {
        let contracts = self.world.store.contracts(&of(account())).await.unwrap();
        contracts.into_iter().find(|known| known.salesforce_id == contract)
    }

    /// The bill as whoever issues it would price it.
    async fn bill(&self, contract: &Contract, scope: Scope) -> Bill {
        let (store, tenant) = (&self.world.store, of(contract.account));
        let (entries, outlays): (Vec<TimeEntry>, Vec<Outlay>) = match scope {
            Scope::Case { case, .. } => (
                store.time_entries(&tenant, case).await.unwrap(),
                store.expenses(&tenant, case).await.unwrap(),
            ),
            Scope::Period(period) => {
                let (first, last) = (period.first().yesterday().unwrap(), period.last().tomorrow().unwrap());
                (
                    store.time_entries_between(&tenant, first, last).await.unwrap(),
                    store.expenses_between(&tenant, first, last).await.unwrap(),
                )
            }
        };
        let mut case_of = std::collections::BTreeMap::new();
        for milestone in &contract.milestones {
            if let Some(id) = milestone.case {
                case_of.extend(store.case_of(id).await.unwrap().map(|case| (id, case.id)));
            }
        }
        // One that names no contract goes with whichever its account is billed by.
        let goes_with = |outlay: &Outlay| outlay.contract.is_none_or(|named| named == contract.id);
        let billed = outlays.into_iter().filter(|outlay| outlay.is_billed() && goes_with(outlay));
        let expenses: Vec<Expense> = billed.map(|outlay| outlay.paid).collect();
        billing::price(Input {
            agreement: &contract.agreement().unwrap(),
            scope,
            earliest: None,
            entries: &entries,
            expenses: &expenses,
            deliveries: &contract.deliveries(|id| case_of.get(&id).copied()).unwrap(),
            before: &Carry::default(),
        })
        .unwrap()
    }

    async fn bill_of_case(&self, contract: SalesforceId, case: CaseId) -> Bill {
        let contract = self.known(contract).await.unwrap();
        self.bill(&contract, Scope::Case { case, closed_on: day("2026-11-20"), part: 0 }).await
    }
}

#[tokio::test]
async fn each_clause_that_is_filled_in_there_changes_the_bill_here() {
    let scene = Scene::start().await;
    let (_, case) = scene.worked().await;
    let contract = scene.create(Object::Contract, contract()).await;
    let before = sums(&scene.bill_of_case(contract, case).await);
    assert_eq!(before, ("289.20".to_owned(), "54.95".to_owned()), "0.83 h and 1.58 h");
    let clauses = [
        (json!({ "Hourly_Rate__c": 100 }), "241.00", "45.79"),
        (json!({ "Increment__c": "15 minutes" }), "330.00", "62.70"),
        (json!({ "Increment__c": "15 minutes", "Rounding__c": "Nearest" }), "270.00", "51.30"),
        (json!({ "Increment__c": "30 minutes" }), "360.00", "68.40"),
        (json!({ "Increment__c": "30 minutes", "Rounded_Together__c": "Case" }), "300.00", "57.00"),
        (json!({ "Least_Minutes__c": 60 }), "309.60", "58.82"),
        (json!({ "Hours_Billed__c": "Exact minutes" }), "290.00", "55.10"),
        // 20 minutes before 18:00 in Berlin, and 30 after it.
        (json!({ "After_Hours_Factor__c": 1.5, "After_Hours__c": "Mon-Fri 18:00-24:00" }), "319.20", "60.65"),
        (json!({ "Minimum_Charge__c": 400 }), "400.00", "76.00"),
        (json!({ "Cap_Amount__c": 200, "Cap_Of__c": "Whole contract" }), "200.00", "38.00"),
        (json!({ "Tax_Rate__c": 7 }), "289.20", "20.24"),
        (json!({ "Tax_Treatment__c": "Reverse charge" }), "289.20", "0.00"),
        (json!({ "Tax_Treatment__c": "Exempt" }), "289.20", "0.00"),
        (json!({ "Tax_Rounding__c": "Line" }), "289.20", "54.94"),
    ];
    for (fields, net, tax) in clauses {
        let Value::Object(set) = &fields else { panic!("{fields}") };
        scene.update(Object::Contract, contract, fields.clone()).await;
        let priced = sums(&scene.bill_of_case(contract, case).await);
        assert_eq!(priced, (net.to_owned(), tax.to_owned()), "{fields}");
        let mut undone: Map<String, Value> = set.keys().map(|name| (name.clone(), Value::Null)).collect();
        for usual in ["Hourly_Rate__c", "Tax_Rate__c"] {
            undone.entry(usual).and_modify(|value| *value = self::contract()[usual].clone());
        }
        scene.update(Object::Contract, contract, Value::Object(undone)).await;
        assert_eq!(sums(&scene.bill_of_case(contract, case).await), before, "{fields}");
    }

    // What is no figure of the bill is a clause of it.
    let others = json!({ "Late_Interest__c": 9.5, "Late_Fee__c": 40, "Purchase_Order__c": "PO-7", "Payment_Terms_Days__c": 30 });
    scene.update(Object::Contract, contract, others).await;
    let agreement = scene.known(contract).await.unwrap().agreement().unwrap();
    let clauses = agreement.on(day("2026-11-20")).unwrap().terms.clauses();
    let late = clauses.late_fee.unwrap();
    assert_eq!((late.yearly.to_string(), late.once.unwrap().get().minor()), ("9.5".to_owned(), 4_000));
    assert_eq!((clauses.purchase_order.as_deref(), clauses.payment_terms_days), (Some("PO-7"), 30));
}

#[tokio::test]
async fn each_part_of_a_contract_changes_the_bill() {
    let scene = Scene::start().await;
    let (in_salesforce, case) = scene.worked().await;
    let contract = scene.create(Object::Contract, contract()).await;
    let net = async || sums(&scene.bill_of_case(contract, case).await).0;
    let part = |fields: Value| with(json!({ "Contract__c": contract }), fields);
    let pricing = async |value: Value| {
        scene.update(Object::Contract, contract, json!({ "Pricing__c": value })).await;
    };
    let rate = |fields: Value| part(with(json!({ "Hourly_Rate__c": 150 }), fields));
    for (fields, expected) in [
        (json!({ "Role__c": "Architect" }), "314.10"),
        (json!({ "Work_Type__c": "Travel" }), "336.60"),
        (json!({ "Person__c": "Sam Keller" }), "336.60"),
        (json!({ "Person__c": "Sam Keller", "Valid_From__c": "2026-11-18" }), "289.20"),
        (json!({ "Person__c": "Sam Keller", "Role__c": "Architect" }), "289.20"),
    ] {
        let rate = scene.create(Object::Rate, rate(fields.clone())).await;
        assert_eq!(net().await, expected, "{fields}");
        scene.delete(Object::Rate, rate).await;
        assert_eq!(net().await, "289.20");
    }
    // The first hour costs 120.00, and what is beyond it, or all of it, 60.00.
    let above = part(json!({ "Hourly_Rate__c": 60, "Above_Hours__c": 1 }));
    let above = scene.agent.create("Portal_Rate__c", above).await;
    for (value, expected) in [("Graduated tiers", "205.20"), ("Volume tiers", "144.60")] {
        pricing(json!(value)).await;
        assert_eq!(net().await, expected, "{value}");
    }
    pricing(json!("Fixed fees")).await;
    let milestone = json!({ "Name": "Go live", "Amount__c": 1_000, "Completed_On__c": "2026-11-19", "Case__c": in_salesforce });
    let milestone = scene.create(Object::Milestone, part(milestone)).await;
    assert_eq!(net().await, "1000.00");
    scene.delete(Object::Milestone, milestone).await;
    scene.delete(Object::Rate, above).await;
    pricing(Value::Null).await;
    assert_eq!(net().await, "289.20");

    let tenth = json!({ "Name": "Loyalty", "Percent__c": 10, "Order__c": 1 });
    let tenth = scene.create(Object::Discount, part(tenth)).await;
    assert_eq!(net().await, "260.28");
    let fixed = json!({ "Name": "Voucher", "Amount__c": 50, "Order__c": 0 });
    let fixed = scene.create(Object::Discount, part(fixed)).await;
    assert_eq!(net().await, "215.28", "the voucher first");
    scene.update(Object::Discount, fixed, json!({ "Order__c": 2 })).await;
    assert_eq!(net().await, "210.28", "the voucher last");
    scene.delete(Object::Discount, tenth).await;
    scene.delete(Object::Discount, fixed).await;
    for (from, percent) in [(200, 5), (1_000, 20)] {
        let step = json!({ "Name": "Volume", "Percent__c": percent, "From_Amount__c": from });
        scene.create(Object::Discount, part(step)).await;
    }
    assert_eq!(net().await, "274.74");
    let block = json!({ "Bought_On__c": "2026-11-01", "Hours__c": 1, "Price__c": 100 });
    let block = scene.create(Object::Block, part(block)).await;
    // An hour is paid for by the block; what is left is less than the first step of the discount.
    assert_eq!(net().await, "270.40");
    scene.update(Object::Block, block, json!({ "Expires_On__c": "2026-10-31" })).await;
    let complaint = scene.known(contract).await.unwrap().agreement().unwrap_err().to_string();
    assert_eq!(complaint, format!("Expires On of {block}: it ends before it begins"));
}

#[tokio::test]
async fn a_month_with_a_retainer_is_billed_as_it_is_agreed() {
    let scene = Scene::start().await;
    scene.worked().await;
    let monthly = json!({
        "Billed_By__c": "Month", "Retainer_Hours__c": 1, "Retainer_Fee__c": 100, "Overage_Rate__c": 90,
        "Roll_Over_Hours__c": 0.5, "Roll_Over_Months__c": 2, "Fees_Tax_Treatment__c": "Exempt", "Markup_Percent__c": 10,
        "Expenses_Tax_Rate__c": 7,
    });
    let contract = scene.create(Object::Contract, with(contract(), monthly)).await;
    let hotel = json!({
        "Account__c": NORDHAVEN.id, "Incurred_On__c": "2026-11-30", "Cost__c": 100, "Currency__c": "EUR", "Description__c": "Hotel",
    });
    scene.create(Object::Expense, hotel).await;
    let known = scene.known(contract).await.unwrap();
    assert_eq!(known.billed_by(day("2026-11-30")), BilledBy::Month);
    let bill = scene.bill(&known, Scope::Period(Period::of(day("2026-11-01")))).await;
    // 85, 95 and 20 minutes beyond the hour at 90.00, for there is another case, the fee without tax, the hotel with 10 % and 7 % tax.
    assert_eq!(sums(&bill), ("509.70".to_owned(), "64.64".to_owned()));
    assert_eq!(bill.retainer.unwrap().used, 60);
    // Of a month in which nothing was done an hour is left, of which half an hour stays.
    let december = scene.bill(&known, Scope::Period(Period::of(day("2026-12-01")))).await;
    assert_eq!(sums(&december).0, "100.00");
    assert_eq!(december.carry.retainer.unwrap().grants[0].left, 30);
}

/// B06: the rate is that of the day of the work, in a case that goes on across an amendment.
#[tokio::test]
async fn case_b06_an_amendment_in_the_middle_of_a_case() {
    let scene = Scene::start().await;
    let (_, case) = scene.worked().await;
    let first = scene.create(Object::Contract, contract()).await;
    let amendment = |from: &str, amends: SalesforceId, rate: u32| {
        with(
            contract(),
            json!({ "Name": "Amendment", "Valid_From__c": from, "Amends__c": amends, "Hourly_Rate__c": rate }),
        )
    };
    let net = async || sums(&scene.bill_of_case(first, case).await).0;
    let second = scene.create(Object::Contract, amendment("2026-11-17", first, 180)).await;
    assert_eq!(net().await, "384.00", "0.83 h at 120.00 and 1.58 h at 180.00");
    assert_eq!(scene.known(second).await, None, "one contract");

    // Its own rates are its own, and an amendment may amend the latest paper.
    let rate = json!({ "Contract__c": second, "Work_Type__c": "Travel", "Hourly_Rate__c": 200 });
    let rate = scene.create(Object::Rate, rate).await;
    assert_eq!(net().await, "415.60");
    let third = scene.create(Object::Contract, amendment("2026-11-18", second, 240)).await;
    assert_eq!(net().await, "415.60");
    scene.update(Object::Contract, third, json!({ "Valid_From__c": "2026-11-16" })).await;
    assert_eq!(net().await, "515.20", "0.83 h at 240.00, and the second from the day after on");
    let known = scene.known(first).await.unwrap();
    assert_eq!(known.amendments.iter().map(|paper| paper.salesforce_id).collect::<Vec<_>>(), [third, second]);
    scene.changed(&[(Object::Contract, second), (Object::Contract, third), (Object::Rate, rate)]).await;
    assert_eq!(scene.known(first).await.unwrap().version, known.version, "nothing new");

    // Deleted, brought back, deleted and purged: the link says what it was part of.
    scene.delete(Object::Contract, third).await;
    assert_eq!(net().await, "415.60");
    scene.agent.undelete(third).await;
    scene.changed(&[(Object::Contract, third)]).await;
    assert_eq!(net().await, "515.20");
    scene.agent.delete("Portal_Contract__c", third).await;
    scene.agent.purge(third).await;
    scene.changed(&[(Object::Contract, third)]).await;
    assert_eq!(net().await, "415.60");

    // It stops to amend, and is a contract of its own; and it amends again.
    scene.update(Object::Contract, second, json!({ "Amends__c": null })).await;
    assert_eq!(net().await, "289.20");
    let own = scene.known(second).await.unwrap();
    assert!(own.holds_on(day("2026-11-20")) && own.rates.len() == 1);
    scene.update(Object::Contract, second, json!({ "Amends__c": first })).await;
    assert_eq!(net().await, "415.60");
    assert!(!scene.known(second).await.unwrap().holds_on(day("2026-11-20")));
    scene.delete(Object::Rate, rate).await;
    assert_eq!(net().await, "384.00");
    scene.update(Object::Contract, second, json!({ "Amends__c": null })).await;
    assert!(scene.known(second).await.unwrap().holds_on(day("2026-11-20")), "once more");
}

#[tokio::test]
async fn a_contract_that_nobody_can_bill_by_is_kept_and_keeps_no_other_away() {
    let scene = Scene::start().await;
    let bad = json!({ "Hourly_Rate__c": null, "Time_Zone__c": "Europe/Atlantis" });
    let bad = scene.create(Object::Contract, with(contract(), bad)).await;
    let known = scene.known(bad).await.unwrap();
    let said = known.agreement().unwrap_err().to_string();
    assert_eq!(said, format!("Time Zone of {bad}: not a time zone of the IANA database"));

    // What the portal has no place for is told of again and again; its neighbours are taken over.
    let nowhere =
        scene.agent.create("Portal_Contract__c", with(contract(), json!({ "Currency__c": "XXX" }))).await;
    let good = scene.agent.create("Portal_Contract__c", contract()).await;
    let failed = scene.outcome(&[(Object::Contract, nowhere), (Object::Contract, good)]).await;
    assert_eq!(failed, json!([{ "itemIdentifier": "m-1" }]));
    assert!(scene.known(good).await.is_some() && scene.known(nowhere).await.is_none());

    // Contracts that amend each other are none.
    scene.agent.update("Portal_Contract__c", bad, json!({ "Amends__c": good })).await;
    scene.agent.update("Portal_Contract__c", good, json!({ "Amends__c": bad })).await;
    assert_eq!(scene.outcome(&[(Object::Contract, good)]).await, json!([{ "itemIdentifier": "m-1" }]));
    scene.update(Object::Contract, good, json!({ "Amends__c": null })).await;
    assert_eq!(scene.known(good).await.unwrap().amendments.len(), 1);

    // An amendment belongs to the account of what it amends.
    scene.agent.update("Portal_Contract__c", bad, json!({ "Account__c": BRIGHTWATER.id })).await;
    assert_eq!(scene.outcome(&[(Object::Contract, bad)]).await, json!([{ "itemIdentifier": "m-1" }]));
}

#[tokio::test]
async fn expenses_are_billed_with_their_case_contract_or_account() {
    let scene = Scene::start().await;
    let (in_salesforce, case) = scene.worked().await;
    let marked_up = with(contract(), json!({ "Markup_Percent__c": 10 }));
    let contract = scene.create(Object::Contract, marked_up).await;
    let expense = |others: Value| {
        let fields = json!({
            "Account__c": NORDHAVEN.id, "Incurred_On__c": "2026-11-17", "Cost__c": 48, "Currency__c": "EUR",
            "Description__c": "Courier", "Person__c": "Sam Keller",
        });
        with(fields, others)
    };
    let net = async || sums(&scene.bill_of_case(contract, case).await).0;
    let store = &scene.world.store;
    let between = async |account| {
        let (first, last) = (day("2026-11-01"), day("2026-11-30"));
        let outlays: Vec<Outlay> = store.expenses_between(&of(account), first, last).await.unwrap();
        outlays.iter().filter(|outlay| outlay.billable && !outlay.deleted).count()
    };
    let courier = scene.create(Object::Expense, expense(json!({ "Case__c": in_salesforce }))).await;
    assert_eq!((net().await, between(account()).await), ("342.00".to_owned(), 1), "48.00 and 10 %");
    // The news again writes nothing.
    let version = async || store.expense(&of(account()), courier).await.unwrap().unwrap().version;
    let before = version().await;
    scene.changed(&[(Object::Expense, courier)]).await;
    assert_eq!(version().await, before);

    // Another contract's is not this one's, and an amendment stands for its contract.
    scene.update(Object::Expense, courier, json!({ "Contract__c": NORDHAVEN.contract_id })).await;
    assert_eq!(net().await, "289.20");
    let amendment = json!({ "Amends__c": contract, "Valid_From__c": "2026-12-01" });
    let amendment = scene.agent.create("Portal_Contract__c", with(self::contract(), amendment)).await;
    // Only the expense is named, and nothing is known of its amendment.
    scene.update(Object::Expense, courier, json!({ "Contract__c": amendment })).await;
    assert_eq!(net().await, "342.00");
    scene.update(Object::Expense, courier, json!({ "Billable__c": false })).await;
    assert_eq!(net().await, "289.20");
    scene
        .update(Object::Expense, courier, json!({ "Billable__c": true, "Cost__c": 50, "Contract__c": null }))
        .await;
    assert_eq!(net().await, "344.20");

    scene.delete(Object::Expense, courier).await;
    assert_eq!((net().await, between(account()).await), ("289.20".to_owned(), 0));
    scene.agent.undelete(courier).await;
    scene.changed(&[(Object::Expense, courier)]).await;
    assert_eq!(net().await, "344.20");

    // It was another company's. With a case of this one it is nobody's.
    scene.agent.update("Portal_Expense__c", courier, json!({ "Account__c": BRIGHTWATER.id })).await;
    assert_eq!(scene.outcome(&[(Object::Expense, courier)]).await, json!([{ "itemIdentifier": "m-1" }]));
    scene.update(Object::Expense, courier, json!({ "Case__c": BRIGHTWATER.case_ids[0] })).await;
    assert_eq!((between(account()).await, between(other_account()).await), (0, 1));
    assert_eq!(net().await, "289.20");
    scene.agent.delete("Portal_Expense__c", courier).await;
    scene.agent.purge(courier).await;
    scene.changed(&[(Object::Expense, courier)]).await;
    assert_eq!(between(other_account()).await, 0);
    let kept = store.expense(&of(other_account()), courier).await.unwrap().unwrap();
    assert!(kept.deleted, "kept for those who audit");
}

/// Days are those that people wrote down, both ends included; what is on no case of the account is nobody's to pay.
#[tokio::test]
async fn hours_of_an_account_are_found_by_day() {
    let scene = Scene::start().await;
    let (in_salesforce, _) = scene.worked().await;
    let minutes = async |first: &str, last: &str, account| {
        let entries =
            scene.world.store.time_entries_between(&of(account), day(first), day(last)).await.unwrap();
        let live = entries.into_iter().filter(|entry| !entry.deleted);
        let mut minutes: Vec<i64> = live.map(|entry| entry.minutes).collect();
        minutes.sort_unstable();
        minutes
    };
    assert_eq!(minutes("2026-11-16", "2026-11-17", account()).await, [50, 95]);
    assert_eq!(minutes("2026-11-17", "2026-11-17", account()).await, [95]);
    assert_eq!(minutes("2026-11-18", "2026-11-30", account()).await, [20, 95], "what the closed case has");
    assert_eq!(minutes("2026-11-17", "2026-11-16", account()).await, [0; 0]);
    assert_eq!(minutes("2026-11-01", "2026-11-30", other_account()).await, [0; 0]);

    scene.update(Object::Case, in_salesforce, json!({ "AccountId": BRIGHTWATER.id })).await;
    assert_eq!(minutes("2026-11-16", "2026-11-17", account()).await, [0; 0], "the case is another's by now");
    assert_eq!(minutes("2026-11-16", "2026-11-17", other_account()).await, [50, 95]);
    scene.delete(Object::Case, in_salesforce).await;
    assert_eq!(minutes("2026-11-16", "2026-11-17", other_account()).await, [0; 0], "and then nobody's");
}
