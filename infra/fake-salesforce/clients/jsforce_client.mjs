// Uses a fake org through npm's jsforce, as its users use Salesforce.
//
// Usage: node jsforce_client.mjs ADDRESS PRIVATE_KEY UNKNOWN_KEY

import assert from "node:assert/strict";
import { createSign } from "node:crypto";
import { readFileSync } from "node:fs";
import jsforce from "jsforce";

const [ADDRESS, PRIVATE_KEY, UNKNOWN_KEY] = process.argv.slice(2);
// The REST version that the portal's own client speaks.
const API_VERSION = "66.0";
const CONSUMER_KEY = "portico-local";
const USERNAME = "integration@portico.example";
const AUDIENCE = "https://login.salesforce.com";
// Salesforce takes at most three minutes.
const ASSERTION_SECONDS = 120;
// More than the 2,000 records that Salesforce puts on a page.
const MANY = 2_100;
const HOUR = 3_600_000;
const MINUTE = 60_000;
// Most milliseconds that a request from outside may take.
const REQUEST_TIMEOUT = 10_000;

const base64url = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** An assertion as any JWT library makes it; jsforce leaves that to its user. */
const assertion = (key, claims) => {
  const exp = Math.floor(Date.now() / 1000) + ASSERTION_SECONDS;
  const signed = `${base64url({ alg: "RS256" })}.${base64url({ iss: CONSUMER_KEY, sub: USERNAME, aud: AUDIENCE, exp, ...claims })}`;
  return `${signed}.${createSign("RSA-SHA256").update(signed).sign(readFileSync(key, "utf8"), "base64url")}`;
};

const signIn = async (key = PRIVATE_KEY, claims = {}) => {
  const connection = new jsforce.Connection({ oauth2: { loginUrl: ADDRESS }, version: API_VERSION });
  await connection.authorize({
    grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
    assertion: assertion(key, claims),
  });
  return connection;
};

/** What happens to the org from outside: not part of what is compared. */
const fake = async (path, body, method = "POST") => {
  const answer = await fetch(`${ADDRESS}/_fake/${path}`, {
    method,
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
    signal: AbortSignal.timeout(REQUEST_TIMEOUT),
  });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
};

/** jsforce's own error, named after the code in the answer. */
const refused = (code, call) =>
  assert.rejects(call, (error) => {
    assert.equal(error.name, code);
    assert.equal(error.errorCode, code);
    assert.ok(error.message, "no message");
    return true;
  });

const checks = {};
const org = await signIn();

checks["signs in with a JWT"] = async () => {
  assert.equal(org.instanceUrl, ADDRESS);
  assert.match(org.accessToken, /^00D/);
  // jsforce takes both ids from the identity URL in the answer.
  assert.match(org.userInfo.id, /^005.{15}$/);
  assert.match(org.userInfo.organizationId, /^00D.{15}$/);
};

checks["is refused with a key, a user, an app or an audience that the org does not know"] = async () => {
  const wrong = [
    [UNKNOWN_KEY, {}, "invalid_grant"],
    [PRIVATE_KEY, { sub: "someone@else.example" }, "invalid_grant"],
    [PRIVATE_KEY, { iss: "unknown" }, "invalid_client_id"],
    [PRIVATE_KEY, { aud: "https://test.salesforce.com" }, "invalid_grant"],
    [PRIVATE_KEY, { exp: Math.floor(Date.now() / 1000) - 600 }, "invalid_grant"],
  ];
  for (const [key, claims, code] of wrong) {
    await assert.rejects(signIn(key, claims), (error) => error.name === code && error.message.length > 0);
  }
};

checks["reads the limits from the resource and from the header"] = async () => {
  const { DailyApiRequests: daily } = await org.limits();
  assert.deepEqual(org.limitInfo.apiUsage, { used: daily.Max - daily.Remaining, limit: daily.Max });
};

checks["creates, reads, updates and deletes"] = async () => {
  const made = await org.sobject("Account").create({ Name: "Ørsted & Søn", BillingStreet: "Havnegade 1\nBygning 3" });
  assert.deepEqual(made, { id: made.id, success: true, errors: [] });
  const read = await org.sobject("Account").retrieve(made.id);
  assert.equal(read.Name, "Ørsted & Søn");
  assert.equal(read.BillingStreet, "Havnegade 1\nBygning 3");
  assert.equal(read.attributes.type, "Account");
  const changed = await org.sobject("Account").update({ Id: made.id, Name: "Ørsted" });
  assert.deepEqual(changed, { id: made.id, success: true, errors: [] });
  assert.equal((await org.sobject("Account").retrieve(made.id)).Name, "Ørsted");
  assert.deepEqual(await org.sobject("Account").destroy(made.id), { id: made.id, success: true, errors: [] });
  await refused("ENTITY_IS_DELETED", org.sobject("Account").retrieve(made.id));
  const kept = await org.query(`SELECT IsDeleted FROM Account WHERE Id = '${made.id}'`, { scanAll: true });
  assert.deepEqual(kept.records.map((record) => record.IsDeleted), [true]);
};

checks["upserts by external id once"] = async () => {
  const record = { Portal_Request_Id__c: "case_js_1", Subject: "Once" };
  const first = await org.sobject("Case").upsert(record, "Portal_Request_Id__c");
  assert.deepEqual(first, { id: first.id, success: true, errors: [], created: true });
  const again = await org.sobject("Case").upsert({ ...record, Subject: "Amended" }, "Portal_Request_Id__c");
  assert.deepEqual(again, { ...first, created: false });
  const found = await org.sobject("Case").findOne({ Portal_Request_Id__c: "case_js_1" }, ["Id", "Subject"]);
  assert.deepEqual([found.Id, found.Subject], [first.id, "Amended"]);
  await refused("DUPLICATE_VALUE", org.sobject("Case").create(record));
};

checks["upserts several at once"] = async () => {
  const records = ["case_js_1", "case_js_2", "case_js_3"].map((id) => ({ Portal_Request_Id__c: id, Subject: "Several" }));
  const results = await org.sobject("Case").upsert(records, "Portal_Request_Id__c");
  assert.deepEqual(results.map(({ success, created }) => [success, created]), [[true, false], [true, true], [true, true]]);
};

checks["takes an upsert's answer without a body"] = async () => {
  await fake("settings", { empty_upsert_answers: true });
  try {
    const result = await org.sobject("Case").upsert({ Portal_Request_Id__c: "case_js_1" }, "Portal_Request_Id__c");
    // jsforce's words for an empty 204.
    assert.deepEqual(result, { success: true, errors: [] });
  } finally {
    await fake("settings", { empty_upsert_answers: false });
  }
};

checks["queries relationships, conditions and counts"] = async () => {
  const account = await org.sobject("Account").create({ Name: "O'Neill Partners" });
  const made = await org.sobject("Case").create({ Subject: "Relationship", AccountId: account.id, Priority: "High" });
  const found = await org
    .sobject("Case")
    .find({ "Account.Name": "O'Neill Partners", Status: { $in: ["New", "Working"] } }, "Id, Account.Name, ClosedDate")
    .sort("-CreatedDate")
    .limit(5);
  assert.equal(found.length, 1);
  assert.equal(found[0].Id, made.id);
  assert.equal(found[0].Account.Name, "O'Neill Partners");
  assert.equal(found[0].ClosedDate, null);
  assert.equal(await org.sobject("Case").count({ Subject: "Relationship" }), 1);
  const since = { Subject: "Relationship", SystemModstamp: { $gte: jsforce.SfDate.toDateTimeLiteral(new Date(Date.now() - HOUR)) } };
  assert.equal(await org.sobject("Case").count(since), 1);
};

checks["pages through more than fit on a page"] = async () => {
  const { id } = await org.sobject("Case").create({ Subject: "Many" });
  const entries = Array.from({ length: MANY }, (_, index) => ({
    Case__c: id,
    Work_Date__c: "2026-11-20",
    Minutes__c: index + 1,
  }));
  const made = await org.sobject("Time_Entry__c").create(entries, { allOrNone: true, allowRecursive: true });
  assert.equal(made.filter(({ success }) => success).length, MANY);
  const soql = `SELECT Minutes__c FROM Time_Entry__c WHERE Case__c = '${id}' ORDER BY Minutes__c`;
  const page = await org.query(soql);
  assert.deepEqual([page.totalSize, page.done, page.records.length], [MANY, false, 2_000]);
  const rest = await org.queryMore(page.nextRecordsUrl);
  assert.deepEqual([rest.totalSize, rest.done, rest.records.length], [MANY, true, MANY - 2_000]);
  assert.equal(rest.nextRecordsUrl, undefined);
  const options = { autoFetch: true, maxFetch: 10_000, headers: { "Sforce-Query-Options": "batchSize=200" } };
  const everything = await org.query(soql, options);
  assert.deepEqual(everything.records.map((record) => record.Minutes__c), entries.map((entry) => entry.Minutes__c));
  const gone = await org.sobject("Time_Entry__c").destroy(made.slice(0, 200).map((each) => each.id), { allOrNone: true });
  assert.ok(gone.length === 200 && gone.every(({ success }) => success));
  assert.equal(await org.sobject("Time_Entry__c").count({ Case__c: id }), MANY - 200);
  await refused("INVALID_QUERY_LOCATOR", org.queryMore("01gFk0000000000IAA-2000"));
};

checks["lists what was updated and deleted"] = async () => {
  const kept = await org.sobject("Account").create({ Name: "Kept" });
  const gone = await org.sobject("Account").create({ Name: "Gone" });
  await org.sobject("Account").destroy(gone.id);
  const [start, end] = [new Date(Date.now() - HOUR), new Date(Date.now() + 2 * MINUTE)];
  const updated = await org.sobject("Account").updated(start, end);
  assert.ok(updated.ids.includes(kept.id) && !updated.ids.includes(gone.id));
  const deleted = await org.sobject("Account").deleted(start, end);
  const ids = deleted.deletedRecords.map((record) => record.id);
  assert.ok(ids.includes(gone.id) && !ids.includes(kept.id));
  const covered = new Date(deleted.latestDateCovered);
  assert.ok(start < covered && covered <= end, deleted.latestDateCovered);
  assert.equal(new Date(deleted.earliestDateAvailable) < start, true);
};

checks["describes"] = async () => {
  const { sobjects } = await org.describeGlobal();
  const names = sobjects.map(({ name }) => name);
  assert.ok(["Account", "Case", "Milestone__c"].every((name) => names.includes(name)), names.join());
  const { fields, keyPrefix } = await org.sobject("Case").describe();
  assert.equal(keyPrefix, "500");
  const request = fields.find(({ name }) => name === "Portal_Request_Id__c");
  assert.deepEqual([request.externalId, request.unique, request.length], [true, true, 64]);
  const account = fields.find(({ name }) => name === "AccountId");
  assert.deepEqual([account.type, account.referenceTo, account.relationshipName], ["reference", ["Account"], "Account"]);
};

checks["sends a graph that is linked inside"] = async () => {
  const base = `/services/data/v${API_VERSION}/sobjects`;
  const compositeRequest = [
    { method: "POST", url: `${base}/Account`, referenceId: "account", body: { Name: "Graph" } },
    { method: "POST", url: `${base}/Case`, referenceId: "case", body: { Subject: "Graph", AccountId: "@{account.id}" } },
  ];
  const body = { graphs: [{ graphId: "one", compositeRequest }] };
  const { graphs } = await org.requestPost(`/services/data/v${API_VERSION}/composite/graph`, body);
  assert.equal(graphs[0].isSuccessful, true);
  const [account, made] = graphs[0].graphResponse.compositeResponse.map((each) => each.body.id);
  assert.equal((await org.sobject("Case").retrieve(made)).AccountId, account);
};

checks["refuses as Salesforce does"] = async () => {
  await refused("MALFORMED_QUERY", org.query("SELECT Id FORM Case"));
  await refused("INVALID_FIELD", org.query("SELECT Nonsense__c FROM Case"));
  await refused("INVALID_TYPE", org.query("SELECT Id FROM Nonsense__c"));
  await refused("INVALID_FIELD", org.sobject("Case").create({ Nonsense__c: 1 }));
  await refused("NOT_FOUND", org.sobject("Nonsense__c").create({ Name: "x" }));
  await refused("NOT_FOUND", org.sobject("Case").retrieve("500Fk00000zzzzzIAA"));
  await refused("REQUIRED_FIELD_MISSING", org.sobject("Contact").create({ FirstName: "A" }));
  await refused("STRING_TOO_LONG", org.sobject("Account").create({ Name: "x".repeat(256) }));
  await refused("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", org.sobject("Case").create({ Status: "Nonsense" }));
  const [failed] = await org.sobject("Contact").create([{ FirstName: "A" }]);
  assert.equal(failed.success, false);
  assert.deepEqual([failed.errors[0].statusCode, failed.errors[0].fields], ["REQUIRED_FIELD_MISSING", ["LastName"]]);
};

checks["passes on the faults of a bad day"] = async () => {
  const after = (kind) => fake("faults", [{ remaining: 1, path: "/services/data/*", effect: { kind } }]);
  const get = () => org.query("SELECT Id FROM Case LIMIT 1");
  for (const [kind, code] of [
    ["request_limit", "REQUEST_LIMIT_EXCEEDED"],
    ["lock_row", "UNABLE_TO_LOCK_ROW"],
  ]) {
    await after(kind);
    await refused(code, get());
  }
  // jsforce repeats a reading on a 5xx by itself.
  for (const kind of ["server_error", "html_unavailable"]) {
    await after(kind);
    assert.equal((await get()).done, true);
  }
  // It does not repeat a writing.
  const write = () => org.sobject("Account").create({ Name: "Bad day" });
  await after("server_error");
  await refused("UNKNOWN_EXCEPTION", write());
  await after("html_unavailable");
  await refused("ERROR_HTTP_503", write());
  assert.equal(await org.sobject("Account").count({ Name: "Bad day" }), 0);
};

checks["learns that its session has ended"] = async () => {
  const other = await signIn();
  await fake("sessions", {}, "DELETE");
  await refused("INVALID_SESSION_ID", other.query("SELECT Id FROM Case LIMIT 1"));
  assert.equal((await (await signIn()).query("SELECT Id FROM Case LIMIT 1")).done, true);
};

const started = performance.now();
let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
  } catch (error) {
    failed += 1;
    console.error(`FAILED ${name}\n`, error);
  }
}
const seconds = ((performance.now() - started) / 1000).toFixed(1);
const count = Object.keys(checks).length;
console.log(`jsforce ${jsforce.VERSION}: ${count - failed} passed, ${failed} failed, ${seconds} s`);
process.exitCode = failed ? 1 : 0;
