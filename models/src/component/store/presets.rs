//! Stores as they come.

use super::Store;
use crate::setting::Preset;
use crate::units::Ns;

/// Every preset.
pub const PRESETS: &[Preset<Store>] = &[Preset {
    name: "postgresql",
    doc: "PostgreSQL 15 (2022) as it comes, on Linux 5.4 or later: 97 connections (max_connections 100, 3 of them \
          reserved), backlog 244 (twice MaxBackends), 2ms to accept and fork one after another (measured on 15.18, two \
          cores: 1.9ms idle, 2.6ms to 3.6ms beside busy processes; 0.4ms on a large machine), 100ms to start up (measured: \
          50ms after a clean stop of an empty database, 100ms after an immediate one; recovery of a large one takes \
          minutes). Queries, service and link are yours to say. Source: runtime-config-connection.html, pqcomm.c (the \
          backlog seen with ss, too), pgsql-hackers of May 2025 (the large machine). Not modelled: what authentication and \
          TLS add to a connection, locks between queries, checkpoints, a pooler before it.",
    make: || Store {
        connections: Some(97),
        backlog: Some(244),
        accept: Ns::millis(2),
        start_up: Ns::millis(100),
        ..Store::default()
    },
}];
