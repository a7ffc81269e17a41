//! One task at the authority, from request to event.

use instant_acme::{
    Account, AuthorizationStatus, ChallengeStatus, ChallengeType, Error, Identifier, Key, NewOrder, Order, OrderStatus,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::acme::Wanted;
use crate::acme::fault::{Fault, Problem};
use crate::acme::plan::{Event, Task};
use crate::acme::state::{self, PrivateKey, Standing, State};
use crate::acme::transport::{Last, Transport};
use crate::model::time::UnixSeconds;
use crate::tls::chain::{Asked, Finding, Weight};
use crate::tls::challenge;
use crate::tls::files::Identity;
use crate::tls::server::Certificate;

/// Speaks with the authority. What it remembers of account and order is only there to save requests.
pub(super) struct Agent {
    transport: Transport,
    account: Option<Account>,
    order: Option<Order>,
}

/// What a task is done with.
pub(super) struct Given<'a> {
    pub(super) state: &'a State,
    pub(super) wanted: &'a Wanted,
    pub(super) certificate: &'a Certificate,
    pub(super) now: UnixSeconds,
}

impl Agent {
    pub(super) fn new(transport: Transport) -> Self {
        Self { transport, account: None, order: None }
    }

    /// Does it once. After a failure nothing is remembered.
    pub(super) async fn perform(&mut self, task: Task, given: &Given<'_>) -> Event {
        match self.attempt(task, given).await {
            Ok(event) => event,
            Err(fault) => {
                (self.account, self.order) = (None, None);
                Event::Failed(fault, self.transport.last().asked)
            }
        }
    }

    async fn attempt(&mut self, task: Task, given: &Given<'_>) -> Result<Event, Fault> {
        match task {
            Task::MakeKey => made_key(),
            Task::Register => self.register(given).await,
            Task::SetContact => self.set_contact(given).await,
            Task::Order => self.begin(given).await,
            Task::Look => self.look(given).await,
            Task::Prove => self.prove(given).await,
            Task::Finalize => self.finalize(given).await,
            Task::Download => self.download(given).await,
        }
    }

    async fn register(&mut self, given: &Given<'_>) -> Result<Event, Fault> {
        let stored = given.state.account_for(given.wanted).ok_or(Fault::Storage)?;
        let der = pkcs8(&stored.key)?;
        let key = Key::from_pkcs8_der(der.clone_key()).map_err(|_| Fault::Storage)?;
        let pair = (key, PrivateKeyDer::Pkcs8(der));
        let builder = Account::builder_with_http(Box::new(self.transport.clone()));
        let made = builder.create_from_key(pair, given.wanted.directory.clone()).await;
        let (account, _credentials) = made.map_err(|error| self.fault(&error))?;
        let id = account.id().to_owned();
        self.account = Some(account);
        Ok(Event::Registered(id))
    }

    async fn set_contact(&mut self, given: &Given<'_>) -> Result<Event, Fault> {
        let address = format!("mailto:{}", given.wanted.contact);
        let contacts: &[&str] = if given.wanted.contact.is_empty() { &[] } else { &[&address] };
        let told = self.account(given).await?.update_contacts(contacts).await;
        told.map_err(|error| self.fault(&error))?;
        Ok(Event::ContactSet)
    }

    async fn begin(&mut self, given: &Given<'_>) -> Result<Event, Fault> {
        let names: Vec<_> = given.wanted.domains.iter().cloned().map(Identifier::Dns).collect();
        let made = self.account(given).await?.new_order(&NewOrder::new(&names)).await;
        let mut order = made.map_err(|error| self.fault(&error))?;
        let key = KeyPair::generate().expect("ring makes P-256 keys");
        let url = order.url().to_owned();
        let standing = standing(order.state().status).unwrap_or_default();
        self.order = Some(order);
        Ok(Event::Ordered(url, PrivateKey::of_pkcs8(key.serialized_der()), standing))
    }

    async fn look(&mut self, given: &Given<'_>) -> Result<Event, Fault> {
        let url = stored_order(given)?.url.clone();
        let found = self.account(given).await?.order(url).await;
        let mut order = found.map_err(|error| match self.transport.last().status {
            // An order that is gone is answered without a problem document by some.
            Some(404) => Fault::Refused(Problem::Request),
            _ => self.fault(&error),
        })?;
        let asked = self.transport.last().asked;
        if let Some(standing) = standing(order.state().status) {
            self.order = Some(order);
            return Ok(Event::Stands(standing, asked));
        }
        Err(self.why_invalid(order).await)
    }

    /// What kept an order from becoming ready.
    async fn why_invalid(&self, mut order: Order) -> Fault {
        let problem = order.state().error.as_ref().map(|problem| Problem::of(problem.r#type.as_deref()));
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let Ok(found) = authorization else { break };
            let error = found.challenges.iter().find_map(|challenge| challenge.error.as_ref());
            if let Some(error) = error {
                return Fault::Unproven(found.identifier().to_string(), Problem::of(error.r#type.as_deref()));
            }
        }
        Fault::Refused(problem.unwrap_or(Problem::Other))
    }

    async fn prove(&mut self, given: &Given<'_>) -> Result<Event, Fault> {
        let transport = self.transport.clone();
        let order = self.order(given).await?;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut found = authorization.map_err(|error| fault(&error, transport.last()))?;
            match found.status {
                AuthorizationStatus::Valid => continue,
                AuthorizationStatus::Pending => {}
                AuthorizationStatus::Invalid
                | AuthorizationStatus::Revoked
                | AuthorizationStatus::Expired
                | AuthorizationStatus::Deactivated => return Err(Fault::Refused(Problem::Request)),
            }
            let name = found.identifier().to_string();
            let Some(mut offered) = found.challenge(ChallengeType::TlsAlpn01) else {
                return Err(Fault::NoChallenge(name));
            };
            let digest = offered.key_authorization().digest().as_ref().try_into().map_err(|_| Fault::Malformed)?;
            let certified = challenge::certified(&name, digest).map_err(|_| Fault::Malformed)?;
            given.certificate.challenge(&name, certified);
            if offered.status == ChallengeStatus::Pending {
                offered.set_ready().await.map_err(|error| match (&error, fault(&error, transport.last())) {
                    (Error::Api(_), Fault::Refused(problem)) if transport.last().status == Some(200) => {
                        Fault::Unproven(name, problem)
                    }
                    (_, fault) => fault,
                })?;
            }
        }
        Ok(Event::Stands(Standing::Told, None))
    }

    async fn finalize(&mut self, given: &Given<'_>) -> Result<Event, Fault> {
        let key = key_pair(&stored_order(given)?.key)?;
        let mut params = CertificateParams::new(given.wanted.domains.clone()).map_err(|_| Fault::Storage)?;
        params.distinguished_name = DistinguishedName::new();
        let request = params.serialize_request(&key).map_err(|_| Fault::Storage)?;
        let transport = self.transport.clone();
        let order = self.order(given).await?;
        order.finalize_csr(request.der()).await.map_err(|error| fault(&error, transport.last()))?;
        let state = order.state();
        let problem = state.error.as_ref().map_or(Problem::Other, |problem| Problem::of(problem.r#type.as_deref()));
        let standing = standing(state.status).ok_or(Fault::Refused(problem))?;
        Ok(Event::Stands(standing, transport.last().asked))
    }

    async fn download(&mut self, given: &Given<'_>) -> Result<Event, Fault> {
        let key = key_pair(&stored_order(given)?.key)?;
        let transport = self.transport.clone();
        let order = self.order(given).await?;
        let issued = order.certificate().await.map_err(|error| fault(&error, transport.last()))?;
        let chain = issued.ok_or(Fault::Malformed)?;
        let unfit = |why: &dyn ToString| Fault::Unfit(why.to_string());
        let identity = Identity::of_pem(&chain, &key.serialize_pem()).map_err(|error| unfit(&error))?;
        let asked = Asked { now: given.now, names: &given.wanted.domains, anchors: None };
        let amiss = |found: &Finding| {
            found.weight() >= Weight::Untimely || matches!(found, Finding::NameMissing(_) | Finding::NoNames)
        };
        match identity.findings(&asked).into_iter().find(amiss) {
            Some(finding) => Err(unfit(&finding)),
            None => Ok(Event::Issued(chain, identity.not_before, identity.not_after)),
        }
    }

    async fn account(&mut self, given: &Given<'_>) -> Result<&Account, Fault> {
        if self.account.is_none() {
            let stored = given.state.account_for(given.wanted).ok_or(Fault::Storage)?;
            let id = stored.id.clone().ok_or(Fault::Storage)?;
            let builder = Account::builder_with_http(Box::new(self.transport.clone()));
            let made = builder.from_parts(id, pkcs8(&stored.key)?, given.wanted.directory.clone()).await;
            self.account = Some(made.map_err(|error| self.fault(&error))?);
        }
        self.account.as_ref().ok_or(Fault::Storage)
    }

    /// The order that was looked at last in this run, else asked for.
    async fn order(&mut self, given: &Given<'_>) -> Result<&mut Order, Fault> {
        if self.order.is_none() {
            let url = stored_order(given)?.url.clone();
            let found = self.account(given).await?.order(url).await;
            self.order = Some(found.map_err(|error| self.fault(&error))?);
        }
        self.order.as_mut().ok_or(Fault::Storage)
    }

    fn fault(&self, error: &Error) -> Fault {
        fault(error, self.transport.last())
    }
}

/// The identity of a certificate that was issued; `None` where what is kept is none.
pub(super) fn identity(held: &state::Held) -> Option<Identity> {
    Identity::of_pem(&held.chain, &key_pair(&held.key).ok()?.serialize_pem()).ok()
}

fn made_key() -> Result<Event, Fault> {
    let (_, der) = Key::generate_pkcs8().map_err(|_| Fault::Storage)?;
    Ok(Event::KeyMade(PrivateKey::of_pkcs8(der.secret_pkcs8_der())))
}

fn stored_order<'a>(given: &Given<'a>) -> Result<&'a state::Order, Fault> {
    given.state.order_for(given.wanted).ok_or(Fault::Storage)
}

fn pkcs8(key: &PrivateKey) -> Result<PrivatePkcs8KeyDer<'static>, Fault> {
    Ok(PrivatePkcs8KeyDer::from(key.pkcs8().ok_or(Fault::Storage)?.to_vec()))
}

fn key_pair(key: &PrivateKey) -> Result<KeyPair, Fault> {
    KeyPair::try_from(&pkcs8(key)?).map_err(|_| Fault::Storage)
}

/// How far an order has come; `None` where it has come to nothing.
const fn standing(status: OrderStatus) -> Option<Standing> {
    match status {
        OrderStatus::Pending => Some(Standing::Pending),
        OrderStatus::Ready => Some(Standing::Ready),
        OrderStatus::Processing => Some(Standing::Processing),
        OrderStatus::Valid => Some(Standing::Valid),
        OrderStatus::Invalid => None,
    }
}

/// What an error of the protocol's crate is, with how its last request ended.
fn fault(error: &Error, last: Last) -> Fault {
    if let Some(fault) = last.fault {
        return Fault::Way(fault);
    }
    let kind = if let Error::Api(problem) = error { problem.r#type.as_deref() } else { None };
    match last.status {
        Some(429) => Fault::Limited,
        _ if kind.is_some_and(|kind| kind.ends_with(":rateLimited")) => Fault::Limited,
        Some(status @ 500..) => Fault::Unavailable(status),
        _ if matches!(error, Error::Api(_)) => Fault::Refused(Problem::of(kind)),
        _ => Fault::Malformed,
    }
}
