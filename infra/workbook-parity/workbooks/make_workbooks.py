"""Makes the workbooks that are beside this file.

    python3 -m venv /tmp/workbooks && /tmp/workbooks/bin/pip install openpyxl==3.1.5
    /tmp/workbooks/bin/python make_workbooks.py

`support-case.xlsx` and `retainer-month.xlsx` agree with the engine; `rounded-down.xlsx` does not.

openpyxl writes formulas and no values. `never-calculated.xlsx` stays like that; the others are then opened and saved by
LibreOffice Calc (`soffice`, version 7.4 made the ones that are kept), which writes what it calculates into every cell.
"""

import datetime
import pathlib
import shutil
import subprocess
import tempfile

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

HERE = pathlib.Path(__file__).parent
BOLD = Font(bold=True)
PERCENT, MONEY, DATE = "0.00%", "#,##0.00", "yyyy-mm-dd"


def day(text):
    return datetime.date.fromisoformat(text)


def write(sheet, row, values, bold=False):
    for column, value in enumerate(values, start=1):
        cell = sheet.cell(row=row, column=column, value=value)
        if bold:
            cell.font = BOLD
        if isinstance(value, datetime.date):
            cell.number_format = DATE


def table(sheet, title, heads, rows):
    """A title, a blank row, the heads in row 3 and what follows; columns as wide as what is in them."""
    write(sheet, 1, [title], bold=True)
    write(sheet, 3, heads, bold=True)
    for number, values in enumerate(rows, start=4):
        write(sheet, number, values)
    for column, head in enumerate(heads, start=1):
        sheet.column_dimensions[get_column_letter(column)].width = max(11, len(head) + 2)
    return range(4, 4 + len(rows))


def clauses(sheet, title, pairs):
    """Names and values, from row 3 on; gives the cell of each value by its name."""
    write(sheet, 1, [title], bold=True)
    cells = {}
    for row, (name, value, *note) in enumerate(pairs, start=3):
        write(sheet, row, [name, value, *note])
        if isinstance(value, float) and 0 < value < 1:
            sheet.cell(row=row, column=2).number_format = PERCENT
        cells[name] = f"Contract!$B${row}"
    sheet.column_dimensions["A"].width = 26
    sheet.column_dimensions["B"].width = 18
    return cells


ROLES = [("Architect", 148.50), ("Consultant", 112.75), ("Developer", 96.35)]

CASE_WORK = [
    ("2026-11-03", "Ada Byrne", "Architect", 95, "Workshop with the warehouse team"),
    ("2026-11-03", "Tomas Hruby", "Developer", 47, "Log of the label printer read"),
    ("2026-11-04", "Tomas Hruby", "Developer", 128, "Driver replaced on the test system"),
    ("2026-11-05", "Ines Okafor", "Consultant", 20, "Call with the carrier"),
    ("2026-11-05", "Tomas Hruby", "Developer", 15, "Driver replaced in hall 3"),
    ("2026-11-09", "Ada Byrne", "Architect", 61, "Review of the print queue"),
    ("2026-11-10", "Ines Okafor", "Consultant", 185, "Training of the early shift"),
    ("2026-11-11", "Ines Okafor", "Consultant", 172, "Training of the late shift"),
    ("2026-11-12", "Tomas Hruby", "Developer", 7, "Paper width corrected"),
    ("2026-11-16", "Tomas Hruby", "Developer", 244, "Monitoring of the print queue"),
    ("2026-11-17", "Ada Byrne", "Architect", 38, "Handover"),
    ("2026-11-20", "Ines Okafor", "Consultant", 52, "Documentation"),
]


def support_case():
    """A case: quarters of an hour, a rate for each role, a discount, a minimum charge, a cap, two rates of tax."""
    book = Workbook()
    contract = book.active
    contract.title = "Contract"
    clause = clauses(
        contract,
        "Support contract of Nordhaven Logistics",
        [
            ("Currency", "EUR"),
            ("Case closed on", day("2026-11-24")),
            ("Hourly rate", 96.35, "for roles that are not on the sheet Rates"),
            ("Time rule", "RoundUpToQuarter", "was a macro once; Time!F:H is what it did"),
            ("Round together", "entry"),
            ("Hours", "shown"),
            ("Mark-up", 0.05),
            ("Minimum charge", 500),
            ("Cap", 2000),
            ("Cap is for", "contract"),
            ("Cap used", 140.25, "by case 00001398"),
            ("Tax on work", 0.19),
            ("Tax on fees", 0.19),
            ("Tax on expenses", 0.07),
            ("Round tax", "document"),
        ],
    )
    rates = book.create_sheet("Rates")
    rows = table(rates, "Rate card", ["Role", "Rate"], ROLES)
    card = f"Rates!$A${rows[0]}:$B${rows[-1]}"
    discounts = book.create_sheet("Discounts")
    table(discounts, "Discounts", ["Name", "Percent", "On"], [("Partner discount", 0.05, "work")])
    discounts["B4"].number_format = PERCENT
    time = book.create_sheet("Time")
    heads = [
        "Date", "Person", "Role", "Minutes", "Description", "Whole quarters", "One begun",
        "Billed minutes", "By CEILING", "Hours", "Rate", "Amount", "Planned",
    ]
    work = []
    for row, (date, person, role, minutes, description) in enumerate(CASE_WORK, start=4):
        work.append((
            day(date), person, role, minutes, description,
            f"=INT(D{row}/15)", f"=IF(MOD(D{row},15)>0,1,0)", f"=(F{row}+G{row})*15", f"=CEILING(D{row},15)",
            f"=ROUND(H{row}/60,2)", f"=VLOOKUP(C{row},{card},2,FALSE)", f"=ROUND(J{row}*K{row},2)",
            f"=MROUND(D{row},30)",
        ))
    rows = table(time, "Time on case 00001427", heads, work)
    first, last = rows[0], rows[-1]
    time.cell(row=last + 2, column=8, value=f"=SUM(H{first}:H{last})")
    time.cell(row=last + 2, column=12, value=f"=SUM(L{first}:L{last})")
    expenses = book.create_sheet("Expenses")
    costs = [("2026-11-03", "Train to Bremen", 64.90), ("2026-11-10", "Hotel, two nights", 233.37)]
    spent = [
        (day(date), what, cost, f"=ROUND(C{row}*(1+{clause['Mark-up']}),2)")
        for row, (date, what, cost) in enumerate(costs, start=4)
    ]
    rows = table(expenses, "Expenses", ["Date", "Description", "Cost", "Amount"], spent)
    invoice = book.create_sheet("Invoice")
    write(invoice, 1, ["Invoice 2026-0142"], bold=True)
    hours, price = f"Time!J{first}:J{last}", f"Time!K{first}:K{last}"
    work_tax, expense_tax = clause["Tax on work"], clause["Tax on expenses"]
    reached = "B4-B5"
    figures = [
        ("Hours", f"=SUM({hours})"),
        ("Work", f"=SUMPRODUCT(ROUND({hours}*{price},2))"),
        ("Discount", "=ROUND(B4*Discounts!B4,2)"),
        ("To the minimum charge", f"=MAX(0,{clause['Minimum charge']}-({reached}))"),
        ("Above the cap", f"=MAX(0,{reached}+B6-({clause['Cap']}-{clause['Cap used']}))"),
        ("Expenses", f"=SUM(Expenses!D{rows[0]}:D{rows[-1]})"),
        ("Net", "=B4-B5+B6-B7+B8"),
        ("Base 19%", "=B4-B5+B6-B7"),
        ("Tax 19%", f"=ROUND(B10*{work_tax},2)"),
        ("Base 7%", "=B8"),
        ("Tax 7%", f"=ROUND(B12*{expense_tax},2)"),
        ("Tax", "=B11+B13"),
        ("Gross", "=B9+B14"),
    ]
    for row, pair in enumerate(figures, start=3):
        write(invoice, row, pair)
        invoice.cell(row=row, column=2).number_format = MONEY
    invoice.column_dimensions["A"].width = 26
    return book


MONTH_WORK = [
    ("2026-10-01", "Ada Byrne", 92, "Weekly call and what came of it"),
    ("2026-10-05", "Tomas Hruby", 213, "Upgrade of the sandbox"),
    ("2026-10-08", "Tomas Hruby", 51, "Weekly call"),
    ("2026-10-12", "Ines Okafor", 147, "Reports for the audit"),
    ("2026-10-15", "Ada Byrne", 58, "Weekly call"),
    ("2026-10-19", "Tomas Hruby", 188, "Interface to the carrier"),
    ("2026-10-22", "Ines Okafor", 45, "Weekly call"),
    ("2026-10-28", "Tomas Hruby", 76, "Interface to the carrier: errors"),
]


def retainer_month():
    """A month: nearest tenth of an hour, ten hours for a fee and some left from before, the rest by the hour."""
    book = Workbook()
    contract = book.active
    contract.title = "Contract"
    clause = clauses(
        contract,
        "Retainer of Brightwater Labs",
        [
            ("Currency", "EUR"),
            ("Month", day("2026-10-01")),
            ("Hourly rate", 131.25),
            ("Round time to", 6, "minutes"),
            ("Round time", "nearest"),
            ("Hours", "shown"),
            ("Retainer fee", 1150),
            ("Retainer hours", 10),
            ("Retainer hours brought", 0.5, "from September"),
            ("Overage rate", 118.75),
            ("Tax", 0.2),
        ],
    )
    contract["B11"].number_format = "0.00"
    time = book.create_sheet("Time")
    heads = [
        "Date", "Person", "Minutes", "Description", "Billed minutes", "Covered minutes", "Hours", "Rate", "Amount",
    ]
    work = []
    included = f"({clause['Retainer hours']}+{clause['Retainer hours brought']})*60"
    for row, (date, person, minutes, description) in enumerate(MONTH_WORK, start=4):
        work.append((
            day(date), person, minutes, description,
            f"=MROUND(C{row},6)", f"=MAX(0,MIN(E{row},{included}-SUM(E$3:E{row - 1})))",
            f"=ROUND((E{row}-F{row})/60,2)", f"=IF(E{row}>F{row},{clause['Overage rate']},0)",
            f"=ROUND(G{row}*H{row},2)",
        ))
    rows = table(time, "October", heads, work)
    first, last = rows[0], rows[-1]
    invoice = book.create_sheet("Invoice")
    write(invoice, 1, ["Invoice 2026-0117"], bold=True)
    figures = [
        ("Billed minutes", f"=SUM(Time!E{first}:E{last})"),
        ("Hours", f"=SUM(Time!G{first}:G{last})"),
        ("Work", f"=SUM(Time!I{first}:I{last})"),
        ("Fees", f"={clause['Retainer fee']}"),
        ("Net", "=B5+B6"),
        ("Tax", f"=ROUND(B7*{clause['Tax']},2)"),
        ("Gross", "=B7+B8"),
    ]
    for row, pair in enumerate(figures, start=3):
        write(invoice, row, pair)
        invoice.cell(row=row, column=2).number_format = MONEY
    invoice.column_dimensions["A"].width = 26
    return book


def rounded_down():
    """The case once more, with one line that is cut off instead of rounded: 0.50 x 112.75 is 56.375."""
    book = support_case()
    book["Time"]["L7"] = "=ROUNDDOWN(J7*K7,2)"
    return book


def calculated(book, name):
    """Saves `book` with a value in every cell."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "in").mkdir()
        book.save(folder / "in" / name)
        subprocess.run(
            [
                "soffice", "--headless", f"-env:UserInstallation=file://{folder}/profile", "--convert-to",
                "xlsx:Calc MS Excel 2007 XML", "--outdir", folder / "out", folder / "in" / name,
            ],
            check=True,
            timeout=180,
        )
        shutil.copy(folder / "out" / name, HERE / name)


if __name__ == "__main__":
    support_case().save(HERE / "never-calculated.xlsx")
    calculated(support_case(), "support-case.xlsx")
    calculated(rounded_down(), "rounded-down.xlsx")
    calculated(retainer_month(), "retainer-month.xlsx")
