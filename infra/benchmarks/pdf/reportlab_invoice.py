"""The invoice by ReportLab: platypus, a table with a repeated head, embedded fonts."""

import io
import pathlib

import reportlab
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle
from xml.sax.saxutils import escape

import measure

# The fonts that come with it; the product's are OpenType with PostScript outlines, which it does not take.
FONTS = pathlib.Path(reportlab.__file__).parent / "fonts"
for name, file in [("Vera", "Vera.ttf"), ("Vera-Bold", "VeraBd.ttf")]:
    pdfmetrics.registerFont(TTFont(name, FONTS / file))

TEXT = ParagraphStyle("text", fontName="Vera", fontSize=8.5, leading=12)
SMALL = ParagraphStyle("small", parent=TEXT, fontSize=7, leading=9, textColor="#555555")
RIGHT = ParagraphStyle("right", parent=TEXT, alignment=TA_RIGHT)
BOLD = ParagraphStyle("bold", parent=TEXT, fontName="Vera-Bold")
BOLD_RIGHT = ParagraphStyle("bold-right", parent=BOLD, alignment=TA_RIGHT)
TITLE = ParagraphStyle("title", parent=BOLD, fontSize=16, leading=22)


def lines_of(texts, style):
    return [Paragraph(escape(text), style) for text in texts if text]


def render(data):
    output = io.BytesIO()

    def foot(canvas, document):
        canvas.setFont("Vera", 6.5)
        for number, text in enumerate(reversed(data["imprint"])):
            canvas.drawString(25 * mm, (10 + 3 * number) * mm, text)
        canvas.drawRightString(A4[0] - 20 * mm, 10 * mm, f"{data['number']} - {document.page}")

    document = SimpleDocTemplate(
        output, pagesize=A4, leftMargin=25 * mm, rightMargin=20 * mm, topMargin=20 * mm, bottomMargin=25 * mm,
        title=f"Invoice {data['number']}", author=data["seller"]["name"], lang="en",
    )
    seller, buyer = data["seller"], data["buyer"]
    facts = [
        ("Date", data["issued_on"]), ("Due", data["due_on"]), ("Period", data["service_period"]),
        ("Case", data["case_reference"]), ("Purchase order", data["purchase_order"]),
    ]
    head = Table(
        [[
            lines_of([buyer["name"], *buyer["address"], buyer["tax_number"]], TEXT),
            lines_of([seller["name"], *seller["address"], seller["tax_number"], *seller["contact"]], SMALL),
        ]],
        colWidths=[100 * mm, 65 * mm],
        style=[("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)],
    )
    particulars = Table(
        [[Paragraph(name, BOLD), Paragraph(escape(value), TEXT)] for name, value in facts if value],
        colWidths=[40 * mm, 125 * mm],
        style=[("LEFTPADDING", (0, 0), (-1, -1), 0), ("TOPPADDING", (0, 0), (-1, -1), 0)],
    )
    rows = [[
        Paragraph("Description", BOLD), Paragraph("Quantity", BOLD_RIGHT), Paragraph("Price", BOLD_RIGHT),
        Paragraph(f"Amount ({data['currency']})", BOLD_RIGHT),
    ]]
    for description, details, quantity, price, amount in data["lines"]:
        rows.append([
            [Paragraph(escape(description), TEXT), *lines_of(details, SMALL)],
            Paragraph(quantity, RIGHT), Paragraph(price, RIGHT), Paragraph(amount, RIGHT),
        ])
    table = Table(rows, colWidths=[92 * mm, 22 * mm, 22 * mm, 29 * mm], repeatRows=1)
    table.setStyle(TableStyle([
        ("VALIGN", (0, 0), (-1, -1), "TOP"), ("LINEBELOW", (0, 0), (-1, 0), 0.8, "#222222"),
        ("LINEBELOW", (0, 1), (-1, -1), 0.3, "#bbbbbb"), ("LEFTPADDING", (0, 0), (0, -1), 0),
    ]))
    sums = [["Net", data["net"]]]
    sums += [[f"{label} of {base}", amount] for label, base, amount in data["taxes"]]
    sums += [["Total", data["gross"]], ["Amount due", data["amount_due"]]]
    totals = Table(
        [[Paragraph(name, TEXT), Paragraph(value, BOLD_RIGHT)] for name, value in sums],
        colWidths=[50 * mm, 30 * mm], hAlign="RIGHT",
    )
    payment = [Paragraph(f"{name}: {escape(value)}", TEXT) for name, value in data["payment"]]
    document.build(
        [head, Spacer(0, 12 * mm), Paragraph(f"Invoice {data['number']}", TITLE), particulars, Spacer(0, 6 * mm),
         table, Spacer(0, 4 * mm), totals, Spacer(0, 6 * mm), *payment, Spacer(0, 4 * mm),
         *lines_of(data["notes"], TEXT)],
        onFirstPage=foot, onLaterPages=foot,
    )
    return output.getvalue()


if __name__ == "__main__":
    measure.run(render)
