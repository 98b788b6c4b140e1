//! A node with one defect, over one that has none.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redlock::backend::memory::MemoryNode;
use redlock::env::Env;
use redlock::node::{
    Abilities, AcquireRequest, ClockReading, Examination, ExtendRequest, Identity, Incarnation, Inspection,
    MarkRequest, Node, NodeFuture, RaiseRequest, ReleaseRequest, Released, Reply, Standing, Watch,
};
use redlock::{LockName, OwnerToken};

/// What a defect works with.
#[derive(Clone)]
pub(crate) struct Place {
    /// The node without the defect.
    node: Arc<dyn Node>,
    /// The table behind it.
    pub(crate) table: Arc<MemoryNode>,
    pub(crate) env: Arc<dyn Env>,
    /// Who was granted what last.
    owners: Arc<Mutex<HashMap<LockName, OwnerToken>>>,
    /// The number of this client.
    pub(crate) client: usize,
}

impl Place {
    pub(crate) fn new(table: Arc<MemoryNode>, env: Arc<dyn Env>) -> Self {
        Self { node: table.clone(), table, env, owners: Arc::default(), client: 0 }
    }

    /// The same for another client, which reaches the table by this node.
    pub(crate) fn by(&self, node: Arc<dyn Node>, client: usize) -> Self {
        Self { node, client, ..self.clone() }
    }

    /// The node, to ask it something.
    pub(crate) fn node(&self) -> Arc<dyn Node> {
        Arc::clone(&self.node)
    }

    /// Who was granted the name last.
    pub(crate) fn owner(&self, name: &LockName) -> Option<OwnerToken> {
        self.owners.lock().unwrap().get(name).copied()
    }

    pub(crate) fn names(&self) -> Vec<(LockName, OwnerToken)> {
        self.owners.lock().unwrap().iter().map(|(name, owner)| (name.clone(), *owner)).collect()
    }

    fn note(&self, reply: &Reply, name: LockName, owner: OwnerToken) {
        if matches!(reply, Reply::Granted(_)) {
            self.owners.lock().unwrap().insert(name, owner);
        }
    }

    pub(crate) fn acquire(&self, request: AcquireRequest) -> NodeFuture<Reply> {
        let (at, name, owner) = (self.clone(), request.name.clone(), request.owner);
        let asked = self.node().acquire(request);
        then(asked, move |reply| {
            at.note(&reply, name, owner);
            reply
        })
    }

    pub(crate) fn extend(&self, request: ExtendRequest) -> NodeFuture<Reply> {
        let (at, name, owner) = (self.clone(), request.name.clone(), request.owner);
        let asked = self.node().extend(request);
        then(asked, move |reply| {
            at.note(&reply, name, owner);
            reply
        })
    }

    /// Takes the name from whoever has it.
    pub(crate) async fn free(&self, name: &LockName) {
        if let Some(owner) = self.owner(name) {
            self.node().release(ReleaseRequest::new(name.clone(), owner, None)).await.unwrap();
        }
    }

    pub(crate) async fn is_held(&self, name: &LockName) -> bool {
        self.node().inspect(name.clone()).await.unwrap().held
    }

    pub(crate) async fn sleep(&self, millis: u64) {
        let at = self.env.now().saturating_add(Duration::from_millis(millis));
        self.env.sleep_until(at).await;
    }
}

/// The value, changed.
pub(crate) fn with<T>(mut value: T, change: impl FnOnce(&mut T)) -> T {
    change(&mut value);
    value
}

/// The answer, changed.
pub(crate) fn then<T: 'static>(
    asked: NodeFuture<T>,
    change: impl FnOnce(T) -> T + Send + 'static,
) -> NodeFuture<T> {
    Box::pin(async move { asked.await.map(change) })
}

type On<Q, A> = Option<Arc<dyn Fn(Place, Q) -> NodeFuture<A> + Send + Sync>>;
type Says<T> = Option<Arc<dyn Fn(&Place, T) -> T + Send + Sync>>;

macro_rules! operations {
    ($($name:ident: $request:ty => $answer:ty),+ $(,)?; $($says:ident: $value:ty),+ $(,)?) => {
        /// What is wrong: what is not set passes through.
        #[derive(Clone, Default)]
        pub(crate) struct Wrong { $($name: On<$request, $answer>,)+ $($says: Says<$value>,)+ }

        impl Wrong {
            $(pub(crate) fn $name(
                mut self,
                defect: impl Fn(Place, $request) -> NodeFuture<$answer> + Send + Sync + 'static,
            ) -> Self {
                self.$name = Some(Arc::new(defect));
                self
            })+
            $(pub(crate) fn $says(mut self, defect: impl Fn(&Place, $value) -> $value + Send + Sync + 'static) -> Self {
                self.$says = Some(Arc::new(defect));
                self
            })+

            /// With this defect too.
            pub(crate) fn and(self, defect: fn(Self) -> Self) -> Self {
                defect(self)
            }
        }
    };
}

operations! {
    probe: () => Identity,
    acquire: AcquireRequest => Reply,
    extend: ExtendRequest => Reply,
    raise: RaiseRequest => Reply,
    release: ReleaseRequest => Released,
    inspect: LockName => Inspection,
    watch: LockName => Watch,
    examine: () => Examination,
    mark: MarkRequest => Standing;
    abilities: Abilities,
    clock: Option<ClockReading>,
    debug: String,
    address: String,
}

pub(crate) struct WrongNode {
    place: Place,
    wrong: Wrong,
    address: String,
}

impl WrongNode {
    pub(crate) fn new(place: Place, wrong: Wrong) -> Arc<Self> {
        let plain = place.node.address().to_owned();
        let address = wrong.address.as_ref().map_or(plain.clone(), |says| says(&place, plain));
        Arc::new(Self { place, wrong, address })
    }
}

macro_rules! pass {
    ($self:ident, $name:ident, $request:expr, $default:expr) => {
        match &$self.wrong.$name {
            Some(defect) => defect($self.place.clone(), $request),
            None => $default,
        }
    };
}

impl Node for WrongNode {
    fn address(&self) -> &str {
        &self.address
    }

    fn abilities(&self) -> Abilities {
        let plain = self.place.node.abilities();
        self.wrong.abilities.as_ref().map_or(plain, |says| says(&self.place, plain))
    }

    fn probe(self: Arc<Self>) -> NodeFuture<Identity> {
        pass!(self, probe, (), self.place.node().probe())
    }

    fn acquire(self: Arc<Self>, request: AcquireRequest) -> NodeFuture<Reply> {
        pass!(self, acquire, request, self.place.acquire(request))
    }

    fn extend(self: Arc<Self>, request: ExtendRequest) -> NodeFuture<Reply> {
        pass!(self, extend, request, self.place.extend(request))
    }

    fn raise(self: Arc<Self>, request: RaiseRequest) -> NodeFuture<Reply> {
        pass!(self, raise, request, self.place.node().raise(request))
    }

    fn release(self: Arc<Self>, request: ReleaseRequest) -> NodeFuture<Released> {
        pass!(self, release, request, self.place.node().release(request))
    }

    fn inspect(self: Arc<Self>, name: LockName) -> NodeFuture<Inspection> {
        pass!(self, inspect, name, self.place.node().inspect(name))
    }

    fn watch(self: Arc<Self>, name: LockName) -> NodeFuture<Watch> {
        pass!(self, watch, name, self.place.node().watch(name))
    }

    fn examine(self: Arc<Self>) -> NodeFuture<Examination> {
        pass!(self, examine, (), self.place.node().examine())
    }

    fn clock(&self) -> Option<ClockReading> {
        let plain = self.place.node.clock();
        self.wrong.clock.as_ref().map_or(plain, |says| says(&self.place, plain))
    }

    fn standing(&self) -> Standing {
        self.place.node.standing()
    }

    fn incarnation(&self) -> Option<Incarnation> {
        self.place.node.incarnation()
    }

    fn mark(self: Arc<Self>, request: MarkRequest) -> NodeFuture<Standing> {
        pass!(self, mark, request, self.place.node().mark(request))
    }
}

impl fmt::Debug for WrongNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = format!("WrongNode({})", self.address);
        f.write_str(&self.wrong.debug.as_ref().map_or(plain.clone(), |says| says(&self.place, plain)))
    }
}
