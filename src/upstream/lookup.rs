//! From a host's name to addresses, and none of them used unless all of them may be.

use std::{future::Future, io, net::SocketAddr, pin::Pin, sync::Arc};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::upstream::{address::is_public, refusal::Refused};

/// The addresses of a name, on their way. Port 0 stands for the one that the URL or its scheme says.
pub type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Asks a name's addresses.
pub trait Lookup: Send + Sync {
    /// All addresses of this name.
    fn lookup(&self, host: &str) -> Looking;
}

/// The name servers of the machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where names are looked up; `Resolver` vets the answer"
    )]
    fn lookup(&self, host: &str) -> Looking {
        let host = host.to_owned();
        Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.collect()) })
    }
}

/// Whose addresses are used without being public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Nobody's.
    Public,
    /// Everybody's: a trial.
    Private,
    /// The proxy's alone; and no other name is looked up here, since the proxy looks up the targets'.
    Proxy(String),
}

/// What the client asks: the lookup behind the rule about addresses. The client connects to what this returns and asks
/// anew for each connection, so that no second, different answer can come in between.
pub(super) struct Resolver {
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) reach: Reach,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        if let Reach::Proxy(proxy) = &self.reach
            && !proxy.eq_ignore_ascii_case(name.as_str())
        {
            return Box::pin(async { Err(Refused::Address.into()) });
        }
        let looking = self.lookup.lookup(name.as_str());
        let must_be_public = self.reach == Reach::Public;
        Box::pin(async move {
            let found = looking.await?;
            if must_be_public && !found.iter().all(|address| is_public(address.ip())) {
                return Err(Refused::Address.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, sync::Mutex};

    use super::*;

    /// Gives one answer after the other.
    struct Script(Mutex<VecDeque<Vec<SocketAddr>>>);

    impl Lookup for Script {
        fn lookup(&self, _host: &str) -> Looking {
            let next = self.0.lock().expect("no panic before").pop_front();
            Box::pin(async move { next.ok_or_else(|| io::ErrorKind::NotFound.into()) })
        }
    }

    fn resolver(reach: Reach, answers: &[&[&str]]) -> Resolver {
        let address = |text: &&str| SocketAddr::new(text.parse().expect("an address"), 0);
        let answers = answers.iter().map(|answer| answer.iter().map(address).collect()).collect();
        Resolver { lookup: Arc::new(Script(Mutex::new(answers))), reach }
    }

    async fn ask(resolver: &Resolver, host: &str) -> Result<Vec<String>, Option<Refused>> {
        match resolver.resolve(host.parse().expect("a name")).await {
            Ok(found) => Ok(found.map(|address| address.ip().to_string()).collect()),
            Err(error) => Err(error.downcast_ref().copied()),
        }
    }

    #[tokio::test]
    async fn public_addresses_come_through() {
        let resolver = resolver(Reach::Public, &[&["1.1.1.1", "2606:4700::1111"]]);
        let found = ask(&resolver, "apis.example").await;
        assert_eq!(found, Ok(vec!["1.1.1.1".to_owned(), "2606:4700::1111".to_owned()]));
    }

    #[tokio::test]
    async fn one_private_address_refuses_the_whole_answer() {
        for mixed in [&["1.1.1.1", "10.0.0.1"], &["::1", "1.1.1.1"], &["1.1.1.1", "::ffff:1.1.1.1"]] {
            let resolver = resolver(Reach::Public, &[mixed]);
            assert_eq!(ask(&resolver, "apis.example").await, Err(Some(Refused::Address)), "{mixed:?}");
        }
    }

    #[tokio::test]
    async fn answer_that_turns_private_is_refused_when_it_does() {
        let resolver = resolver(Reach::Public, &[&["1.1.1.1"], &["127.0.0.1"], &["1.1.1.1"]]);
        assert!(ask(&resolver, "apis.example").await.is_ok());
        assert_eq!(ask(&resolver, "apis.example").await, Err(Some(Refused::Address)));
        assert!(ask(&resolver, "apis.example").await.is_ok());
    }

    #[tokio::test]
    async fn behind_a_proxy_no_name_but_its_own_is_looked_up() {
        let resolver = resolver(Reach::Proxy("proxy.site".to_owned()), &[&["10.0.0.1"], &["1.1.1.1"]]);
        assert_eq!(ask(&resolver, "apis.example").await, Err(Some(Refused::Address)));
        assert_eq!(ask(&resolver, "proxy.site").await, Ok(vec!["10.0.0.1".to_owned()]));
    }

    #[tokio::test]
    async fn name_without_an_answer_is_no_refusal() {
        assert_eq!(ask(&resolver(Reach::Public, &[]), "apis.example").await, Err(None));
    }
}
