//! A Salesforce org that speaks the real protocols, with faults on demand and an agent console.
