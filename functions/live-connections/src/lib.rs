//! WebSocket connect and disconnect.
