//! GET /invoices, GET /invoices/{invoiceId} and its PDF.
