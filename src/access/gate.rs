//! Everybody's rights: tokens over HTTPS, groups at the socket, and what slows failures down.

use crate::access::socket::SocketGrants;
use crate::access::throttle::Throttle;
use crate::access::tokens::Tokens;

/// Everybody's rights.
pub struct Gate {
    /// The tokens.
    pub tokens: Tokens,
    /// The groups.
    pub socket: SocketGrants,
    /// What slows failures down, at whichever listener.
    pub throttle: Throttle,
}

impl Gate {
    /// These tokens and grants.
    pub fn new(tokens: Tokens, socket: SocketGrants) -> Self {
        Self { tokens, socket, throttle: Throttle::default() }
    }
}
