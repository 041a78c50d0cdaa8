//! Every key, item and condition of the portal's tables, on a three-method engine.
