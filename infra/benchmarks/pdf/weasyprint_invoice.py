"""The invoice by WeasyPrint: HTML and CSS, a table with a repeated head, the product's fonts."""

import pathlib
from html import escape

from weasyprint import CSS, HTML
from weasyprint.text.fonts import FontConfiguration

import measure

FONTS = pathlib.Path(__file__).resolve().parents[3] / "shared" / "invoice" / "fonts"
STYLE = """
@font-face { font-family: Inter; src: url(%(fonts)s/Inter-Regular.otf) }
@font-face { font-family: Inter; font-weight: 600; src: url(%(fonts)s/Inter-SemiBold.otf) }
@page { size: A4; margin: 20mm 20mm 25mm 25mm;
        @bottom-left { content: "%(imprint)s"; font: 6.5pt Inter; white-space: pre }
        @bottom-right { content: counter(page) " / " counter(pages); font: 6.5pt Inter } }
body { font: 8.5pt/1.4 Inter }
h1 { font-size: 16pt; margin: 12mm 0 4mm }
header { display: flex; justify-content: space-between }
header div + div, small { font-size: 7pt; color: #555; display: block }
table { border-collapse: collapse; width: 100%% }
thead { display: table-header-group }
th { text-align: left; border-bottom: 0.8pt solid #222 }
td { border-bottom: 0.3pt solid #bbb; vertical-align: top; padding: 1.5mm 0 }
tr { break-inside: avoid }
.facts td, .totals td { border: 0; padding: 0.5mm 0 }
.number { text-align: right; white-space: nowrap; padding-left: 4mm }
.totals { width: 80mm; margin: 4mm 0 6mm auto }
"""


def lines_of(texts):
    return "<br>".join(escape(text) for text in texts if text)


def page(data):
    seller, buyer = data["seller"], data["buyer"]
    facts = [
        ("Date", data["issued_on"]), ("Due", data["due_on"]), ("Period", data["service_period"]),
        ("Case", data["case_reference"]), ("Purchase order", data["purchase_order"]),
    ]
    rows = "".join(
        f"<tr><td>{escape(description)}<small>{lines_of(details)}</small><td class=number>{escape(quantity)}"
        f"<td class=number>{price}<td class=number>{amount}"
        for description, details, quantity, price, amount in data["lines"]
    )
    sums = [("Net", data["net"])]
    sums += [(f"{label} of {base}", amount) for label, base, amount in data["taxes"]]
    sums += [("Total", data["gross"]), ("Amount due", data["amount_due"])]
    pairs = lambda pairs: "".join(f"<tr><td>{name}<td class=number>{escape(value)}" for name, value in pairs if value)
    return (
        f"<html lang=en><title>Invoice {data['number']}</title><header>"
        f"<div>{lines_of([buyer['name'], *buyer['address'], buyer['tax_number']])}</div>"
        f"<div>{lines_of([seller['name'], *seller['address'], seller['tax_number'], *seller['contact']])}</div>"
        f"</header><h1>Invoice {data['number']}</h1><table class=facts>{pairs(facts)}</table>"
        f"<table><thead><tr><th>Description<th class=number>Quantity<th class=number>Price"
        f"<th class=number>Amount ({data['currency']})</thead><tbody>{rows}</tbody></table>"
        f"<table class=totals>{pairs(sums)}</table>"
        f"<p>{lines_of(f'{name}: {value}' for name, value in data['payment'])}"
        + "".join(f"<p>{escape(note)}" for note in data["notes"])
    )


def render(data):
    fonts = FontConfiguration()
    imprint = "\\A ".join(text.replace('"', "") for text in data["imprint"])
    style = CSS(string=STYLE % {"fonts": FONTS.as_uri(), "imprint": imprint}, font_config=fonts)
    return HTML(string=page(data)).write_pdf(stylesheets=[style], font_config=fonts)


if __name__ == "__main__":
    measure.run(render)
