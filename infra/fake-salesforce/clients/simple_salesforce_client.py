"""Uses a fake org through PyPI's simple-salesforce, as its users use Salesforce.

Usage: simple_salesforce_client.py ADDRESS PRIVATE_KEY UNKNOWN_KEY
"""

import json
import sys
import time
import traceback
import urllib.request
import warnings
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce, format_soql
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceGeneralError,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)

ADDRESS, PRIVATE_KEY, UNKNOWN_KEY = sys.argv[1:]
# The newest REST version that the portal's own client speaks.
API_VERSION = "66.0"
CONSUMER_KEY = "portico-local"
USERNAME = "integration@portico.example"
# More than the 2,000 records that Salesforce puts on a page.
MANY = 2_100
# Most records of one collection call.
COLLECTION = 200
# Most seconds that one request may take.
REQUEST_SECONDS = 10


class Plain(HTTPAdapter):
    """simple-salesforce says https whatever it is told; the org is on this machine and speaks http."""

    def send(self, request, **options):
        host = urlsplit(ADDRESS).netloc
        request.url = urlunsplit(urlsplit(request.url)._replace(scheme="http", netloc=host))
        request.headers["Host"] = host
        options["timeout"] = REQUEST_SECONDS
        return super().send(request, **options)


def session():
    made = requests.Session()
    made.trust_env = False
    made.mount("https://", Plain())
    made.mount("http://", Plain())
    return made


def sign_in(key=PRIVATE_KEY, **other):
    claims = {"username": USERNAME, "consumer_key": CONSUMER_KEY, "privatekey": Path(key).read_text(), **other}
    return Salesforce(version=API_VERSION, domain="login", session=session(), **claims)


def fake(path, body, method="POST"):
    """What happens to the org from outside: not part of what is compared."""
    data = json.dumps(body).encode()
    request = urllib.request.Request(
        f"{ADDRESS}/_fake/{path}", data=data, method=method, headers={"content-type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=REQUEST_SECONDS).close()


def equal(found, expected):
    assert found == expected, f"{found!r} instead of {expected!r}"


def refused(exception, status, code, call):
    """The client's own exception, and in it the answer as Salesforce writes it."""
    try:
        found = call()
    except exception as error:
        equal(type(error), exception)
        equal(error.status, status)
        equal(error.content[0]["errorCode"], code)
        assert error.content[0]["message"], "no message"
        return error.content[0]
    raise AssertionError(f"answered {found!r} instead of {code}")


CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


sf = sign_in()


@check
def signs_in_with_a_jwt():
    assert sf.session_id.startswith("00D"), "an access token starts with the organization's id"
    equal(sf.sf_instance, urlsplit(ADDRESS).netloc)


@check
def is_refused_with_a_key_a_user_or_an_app_that_the_org_does_not_know():
    warnings.simplefilter("ignore")  # advice for people who let everybody sign in
    for wrong in ({"key": UNKNOWN_KEY}, {"username": "someone@else.example"}):
        try:
            sign_in(**wrong)
        except SalesforceAuthenticationFailed as error:
            equal(error.code, "invalid_grant")
        else:
            raise AssertionError("signed in")
    try:
        sign_in(consumer_key="unknown")
    except SalesforceAuthenticationFailed as error:
        equal(error.code, "invalid_client_id")
    else:
        raise AssertionError("signed in")


@check
def reads_the_limits_from_the_resource_and_from_the_header():
    daily = sf.limits()["DailyApiRequests"]
    usage = sf.api_usage["api-usage"]
    equal(int(usage.total), daily["Max"])
    equal(daily["Max"] - daily["Remaining"], int(usage.used))


@check
def creates_reads_updates_and_deletes():
    made = sf.Account.create({"Name": "Ørsted & Søn", "BillingStreet": "Havnegade 1\nBygning 3"})
    equal(made["success"], True)
    equal(made["errors"], [])
    equal(len(made["id"]), 18)
    read = sf.Account.get(made["id"])
    equal(read["Name"], "Ørsted & Søn")
    equal(read["BillingStreet"], "Havnegade 1\nBygning 3")
    equal(read["attributes"]["type"], "Account")
    equal(sf.Account.get(made["id"][:15])["Id"], made["id"])
    equal(sf.Account.update(made["id"], {"Name": "Ørsted"}), 204)
    equal(sf.Account.get(made["id"])["Name"], "Ørsted")
    equal(sf.Account.delete(made["id"]), 204)
    refused(SalesforceResourceNotFound, 404, "ENTITY_IS_DELETED", lambda: sf.Account.get(made["id"]))
    refused(SalesforceResourceNotFound, 404, "ENTITY_IS_DELETED", lambda: sf.Account.delete(made["id"]))
    kept = sf.query_all(format_soql("SELECT IsDeleted FROM Account WHERE Id = {}", made["id"]), include_deleted=True)
    equal([record["IsDeleted"] for record in kept["records"]], [True])
    equal(sf.query(format_soql("SELECT Id FROM Account WHERE Id = {}", made["id"]))["totalSize"], 0)


@check
def upserts_by_external_id_once():
    # No space: the client writes it as "+", which in a path is a plus.
    key = "case_1/with-a-slash?"
    path = f"Portal_Request_Id__c/{quote(key, safe='')}"
    first = sf.Case.upsert(path, {"Subject": "Once"}, raw_response=True)
    equal(first.status_code, 201)
    equal(first.json()["created"], True)
    again = sf.Case.upsert(path, {"Subject": "Once, amended"}, raw_response=True)
    equal(again.status_code, 200)
    equal(again.json(), {"id": first.json()["id"], "success": True, "errors": [], "created": False})
    found = sf.Case.get_by_custom_id("Portal_Request_Id__c", key)
    equal(found["Subject"], "Once, amended")
    equal(len(found["CaseNumber"]), 8)
    content = refused(
        SalesforceMalformedRequest,
        400,
        "DUPLICATE_VALUE",
        lambda: sf.Case.create({"Portal_Request_Id__c": key.upper()}),
    )
    assert first.json()["id"][:15] in content["message"], "the message names the record that has the value"


@check
def answers_an_upsert_without_a_body_where_the_org_does():
    fake("settings", {"empty_upsert_answers": True})
    try:
        equal(sf.Case.upsert("Portal_Request_Id__c/case_2", {"Subject": "a"}), 201)
        equal(sf.Case.upsert("Portal_Request_Id__c/case_2", {"Subject": "b"}), 204)
    finally:
        fake("settings", {"empty_upsert_answers": False})


@check
def queries_relationships_and_escapes():
    account = sf.Account.create({"Name": "O'Neill \\ \"Partners\""})["id"]
    case = sf.Case.create({"Subject": "Relationship", "AccountId": account})["id"]
    soql = "SELECT Id, Account.Name, IsClosed, ClosedDate FROM Case WHERE Account.Name = {} AND Status IN {}"
    answer = sf.query(format_soql(soql, "O'Neill \\ \"Partners\"", ["New", "Working"]))
    equal((answer["totalSize"], answer["done"]), (1, True))
    record = answer["records"][0]
    equal(record["Id"], case)
    equal(record["Account"]["Name"], "O'Neill \\ \"Partners\"")
    equal((record["IsClosed"], record["ClosedDate"]), (False, None))
    equal(sf.query("SELECT COUNT() FROM Case WHERE Subject = 'Relationship'")["totalSize"], 1)


@check
def pages_through_more_than_fit_on_a_page():
    case = sf.Case.create({"Subject": "Many"})["id"]
    entries = [
        {
            "attributes": {"type": "Time_Entry__c"},
            "Case__c": case,
            "Work_Date__c": "2026-11-20",
            "Minutes__c": minutes,
        }
        for minutes in range(1, MANY + 1)
    ]
    for start in range(0, MANY, COLLECTION):
        body = {"allOrNone": True, "records": entries[start : start + COLLECTION]}
        results = sf.restful("composite/sobjects", method="POST", json=body)
        assert all(result["success"] for result in results), "a record of the collection failed"
    soql = format_soql("SELECT Minutes__c FROM Time_Entry__c WHERE Case__c = {} ORDER BY Minutes__c", case)
    page = sf.query(soql)
    equal((page["totalSize"], page["done"], len(page["records"])), (MANY, False, 2_000))
    rest = sf.query_more(page["nextRecordsUrl"], identifier_is_url=True)
    equal((rest["totalSize"], rest["done"], len(rest["records"])), (MANY, True, MANY - 2_000))
    assert "nextRecordsUrl" not in rest, "the last page has no next one"
    locator = page["nextRecordsUrl"].rsplit("/", 1)[1]
    equal(sf.query_more(locator)["records"], rest["records"])
    everything = sf.query_all(soql)
    equal([record["Minutes__c"] for record in everything["records"]], list(range(1, MANY + 1)))
    small = sf.query_all_iter(soql, headers={"Sforce-Query-Options": "batchSize=200"})
    equal(sum(1 for _ in small), MANY)
    refused(SalesforceMalformedRequest, 400, "INVALID_QUERY_LOCATOR", lambda: sf.query_more("01gFk0000000000IAA-2000"))


@check
def lists_what_was_updated_and_deleted():
    kept = sf.Account.create({"Name": "Kept"})["id"]
    gone = sf.Account.create({"Name": "Gone"})["id"]
    sf.Account.delete(gone)
    now = datetime.now(timezone.utc)
    span = (now - timedelta(hours=1), now + timedelta(minutes=2))
    updated = sf.Account.updated(*span)
    assert kept in updated["ids"] and gone not in updated["ids"], "the deleted one is no update"
    deleted = sf.Account.deleted(*span)
    assert gone in [record["id"] for record in deleted["deletedRecords"]], "the deleted one is missing"
    assert kept not in [record["id"] for record in deleted["deletedRecords"]], "the other one is not deleted"
    for answer in (updated, deleted):
        covered = datetime.strptime(answer["latestDateCovered"], "%Y-%m-%dT%H:%M:%S.%f%z")
        assert span[0] < covered <= span[1], "covered is inside the span"
    too_early = (now - timedelta(days=31), now)
    refused(SalesforceMalformedRequest, 400, "INVALID_REPLICATION_DATE", lambda: sf.Account.updated(*too_early))


@check
def describes():
    names = {described["name"] for described in sf.describe()["sobjects"]}
    assert {"Account", "Case", "Milestone__c"} <= names, f"{names}"
    fields = {field["name"]: field for field in sf.Case.describe()["fields"]}
    request = fields["Portal_Request_Id__c"]
    equal((request["externalId"], request["unique"], request["idLookup"], request["length"]), (True, True, True, 64))
    equal(fields["AccountId"]["referenceTo"], ["Account"])
    equal(fields["CaseNumber"]["createable"], False)
    statuses = [value["value"] for value in fields["Status"]["picklistValues"]]
    assert "New" in statuses and fields["Status"]["restrictedPicklist"], "a restricted list of statuses"
    equal(sf.Case.metadata()["objectDescribe"]["keyPrefix"], "500")


@check
def refuses_as_salesforce_does():
    malformed, missing = SalesforceMalformedRequest, SalesforceResourceNotFound
    refused(malformed, 400, "MALFORMED_QUERY", lambda: sf.query("SELECT Id FORM Case"))
    refused(malformed, 400, "INVALID_FIELD", lambda: sf.query("SELECT Nonsense__c FROM Case"))
    refused(malformed, 400, "INVALID_TYPE", lambda: sf.query("SELECT Id FROM Nonsense__c"))
    refused(malformed, 400, "INVALID_FIELD", lambda: sf.Case.create({"Nonsense__c": 1}))
    refused(missing, 404, "NOT_FOUND", lambda: sf.Nonsense__c.create({"Name": "x"}))
    refused(missing, 404, "NOT_FOUND", lambda: sf.Case.get("500Fk00000zzzzzIAA"))
    left_out = refused(malformed, 400, "REQUIRED_FIELD_MISSING", lambda: sf.Contact.create({"FirstName": "A"}))
    equal(left_out["fields"], ["LastName"])
    long = refused(malformed, 400, "STRING_TOO_LONG", lambda: sf.Account.create({"Name": "x" * 256}))
    equal(long["fields"], ["Name"])
    status = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    refused(malformed, 400, status, lambda: sf.Case.create({"Subject": "x", "Status": "Nonsense"}))
    fixed = "INVALID_FIELD_FOR_INSERT_UPDATE"
    refused(malformed, 400, fixed, lambda: sf.Case.create({"Subject": "x", "CaseNumber": "1"}))


@check
def says_when_an_external_id_fits_several():
    account = sf.Account.create({"Name": "Twins"})["id"]
    for first in ("Ada", "Eda"):
        sf.Contact.create({"FirstName": first, "LastName": "Twin", "Email": "twin@example.com", "AccountId": account})
    try:
        sf.Contact.get_by_custom_id("Email", "twin@example.com")
    except SalesforceMoreThanOneRecord as error:
        equal(error.status, 300)
        equal(len(error.content), 2)
        assert all("/sobjects/Contact/003" in url for url in error.content), f"{error.content}"
    else:
        raise AssertionError("one of two was answered")


@check
def undoes_all_of_a_collection_or_none():
    records = [
        {"attributes": {"type": "Account"}, "Name": "Together"},
        {"attributes": {"type": "Account"}, "Name": "x" * 256},
    ]
    results = sf.restful("composite/sobjects", method="POST", json={"allOrNone": True, "records": records})
    codes = [result["errors"][0]["statusCode"] for result in results]
    equal(codes, ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "STRING_TOO_LONG"])
    equal(sf.query("SELECT COUNT() FROM Account WHERE Name = 'Together'")["totalSize"], 0)


@check
def passes_on_the_faults_of_a_bad_day():
    def after(kind, call):
        fake("faults", [{"remaining": 1, "path": "/services/data/*", "effect": {"kind": kind}}])
        return call

    get = lambda: sf.query("SELECT Id FROM Case LIMIT 1")  # noqa: E731
    refused(SalesforceRefusedRequest, 403, "REQUEST_LIMIT_EXCEEDED", after("request_limit", get))
    refused(SalesforceMalformedRequest, 400, "UNABLE_TO_LOCK_ROW", after("lock_row", get))
    refused(SalesforceGeneralError, 500, "UNKNOWN_EXCEPTION", after("server_error", get))
    try:
        after("html_unavailable", get)()
    except SalesforceGeneralError as error:
        equal(error.status, 503)
        assert "<html>" in str(error.content), "a page for people"
    else:
        raise AssertionError("answered")


@check
def signs_in_again_when_its_session_has_ended():
    ended = sf.session_id
    fake("sessions", {}, method="DELETE")
    only_a_session = Salesforce(session_id=ended, instance=sf.sf_instance, version=API_VERSION, session=session())
    soql = "SELECT Id FROM Case LIMIT 1"
    refused(SalesforceExpiredSession, 401, "INVALID_SESSION_ID", lambda: only_a_session.query(soql))
    equal(sf.query(soql)["done"], True)
    assert sf.session_id != ended, "the ended session works again"


def main():
    started = time.monotonic()
    failed = 0
    for function in CHECKS:
        try:
            function()
        except Exception:  # noqa: BLE001: whatever goes wrong is this check's failure, and the next one runs
            failed += 1
            print(f"FAILED {function.__name__}", file=sys.stderr)
            traceback.print_exc()
    seconds = time.monotonic() - started
    name = f"simple-salesforce {version('simple-salesforce')}"
    print(f"{name}: {len(CHECKS) - failed} passed, {failed} failed, {seconds:.1f} s")
    sys.exit(1 if failed else 0)


main()
