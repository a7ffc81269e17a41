//! The worker that fetches what pings announced.
