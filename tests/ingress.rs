//! The network edge through its sockets: every row of the ingress contract, and the pitfalls of receivers before it.

#[path = "ingress/answers.rs"]
mod answers;
#[path = "ingress/bodies.rs"]
mod bodies;
#[path = "ingress/connections.rs"]
mod connections;
#[path = "ingress/controls.rs"]
mod controls;
#[path = "ingress/framing.rs"]
mod framing;
#[path = "ingress/health.rs"]
mod health;
#[path = "ingress/http2.rs"]
mod http2;
#[path = "ingress/local.rs"]
mod local;
#[path = "ingress/rotation.rs"]
mod rotation;
#[path = "ingress/site.rs"]
mod site;
