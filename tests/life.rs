//! smoke
use smolwf::domain::claim::Claim;
use smolwf::domain::run::Submit;
use smolwf::store::{Store, StoreOptions};
use smolwf::wait::Waited;

#[test]
fn life() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let options = StoreOptions { create: true, manual_clock: true, ..Default::default() };
    let store = Store::open(&path, &options).unwrap();
    store.init().unwrap();
    let s = store.submit(Submit { workflow: "w".into(), ..Default::default() }).unwrap();
    let claim = || store.claim(Claim::default()).unwrap();
    let a = claim().unwrap();
    assert_eq!(a.sleep("nap", 1000).unwrap(), Waited::NotYet);
    assert_eq!(a.signal_await("go", -1).unwrap(), Waited::NotYet);
    let c = a.child_submit("kid", Submit { workflow: "k".into(), ..Default::default() }).unwrap();
    assert!(!c.existed);
    assert_eq!(a.child_await(&c.run_id, 5000).unwrap(), Waited::NotYet);
    a.suspend().unwrap();
    println!("{}", store.run_get(&s.run_id).unwrap());
    let k = claim().unwrap();
    assert_eq!(k.workflow().as_str(), "k");
    assert_eq!(k.parent_run_id().unwrap().as_str(), s.run_id);
    k.complete(Some("7".into())).unwrap();
    let a = claim().unwrap();
    assert_eq!(a.number(), 2);
    assert_eq!(a.sleep("nap", 1000).unwrap(), Waited::NotYet);
    assert_eq!(a.signal_await("go", -1).unwrap(), Waited::NotYet);
    let c2 = a.child_submit("kid", Submit { workflow: "k".into(), ..Default::default() }).unwrap();
    assert!(c2.existed && c2.run_id == c.run_id);
    assert_eq!(a.child_await(&c.run_id, 5000).unwrap(), Waited::Ready("7".into()));
    a.suspend().unwrap();
    assert!(claim().is_none());
    store.advance_clock(1000).unwrap();
    let a = claim().unwrap();
    assert_eq!(a.sleep("nap", 1000).unwrap(), Waited::Ready("null".into()));
    assert!(store.signal_send(&s.run_id, "go", Some("{}".into()), Some("k")).unwrap());
    assert!(!store.signal_send(&s.run_id, "go", Some("{}".into()), Some("k")).unwrap());
    assert_eq!(a.signal_await("go", -1).unwrap(), Waited::Ready("{}".into()));
    let w = format!("[{{\"child\":\"{}\"}},{{\"sleep_ms\":10}},{{\"signal\":\"x\"}}]", c.run_id);
    assert_eq!(
        a.await_any("any", &w, -1).unwrap(),
        Waited::Ready("{\"index\":0,\"outcome\":\"ok\",\"value\":7}".into())
    );
    assert_eq!(a.await_all("all", &w, 100).unwrap(), Waited::NotYet);
    store.advance_clock(100).unwrap();
    assert_eq!(a.await_all("all", &w, 100).unwrap(), Waited::TimedOut);
    println!("{}", store.run_history(&s.run_id, None, 0).unwrap());
    store.cancel(&s.run_id, Some("\"why\"".into())).unwrap();
    assert_eq!(a.check().unwrap_err().code(), -21);
    assert_eq!(a.complete(None).unwrap_err().code(), -21);
    println!("{}", store.run_wait(&s.run_id, 0, None).unwrap().unwrap());
    store.retry(&s.run_id).unwrap();
    let f = store.fork(&s.run_id, Some("nap")).unwrap();
    println!("{f}");
    store.queue_set("default", "{\"concurrency\":1}").unwrap();
    let many = store.claim_many(Claim::default(), 10).unwrap();
    assert_eq!(many.len(), 1);
    assert_eq!(many[0].number(), 4);
    many[0].complete(None).unwrap();
    let many = store.claim_many(Claim::default(), 10).unwrap();
    assert_eq!(many.len(), 1);
}
