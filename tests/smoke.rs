use smolwf::attempt::Begun;
use smolwf::domain::claim::Claim;
use smolwf::domain::run::Submit;
use smolwf::domain::step::Begin;
use smolwf::store::{Store, StoreOptions};

#[test]
fn smoke() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let options = StoreOptions { create: true, ..Default::default() };
    let store = Store::open(&path, &options).unwrap();
    println!("init {:?}", store.init());
    let s = store.submit(Submit { workflow: "w".into(), ..Default::default() }).unwrap();
    println!("{s:?}");
    let a = store.claim(Claim::default()).unwrap().unwrap();
    for i in 0..3 {
        match a.step_begin(Begin { name: "s".into(), ..Default::default() }).unwrap() {
            Begun::Run(step) => step.complete(Some(format!("{i}"))).unwrap(),
            _ => panic!(),
        }
    }
    drop(a);
    store.close();
    let store = Store::open(&path, &options).unwrap();
    let a = store.claim(Claim::default()).unwrap().unwrap();
    for i in 0..3 {
        match a.step_begin(Begin { name: "s".into(), ..Default::default() }).unwrap() {
            Begun::Replayed(step) => assert_eq!(step.result().unwrap().as_str(), format!("{i}")),
            _ => panic!(),
        }
    }
    a.complete(Some("[1, 2]".into())).unwrap();
    println!("{}", store.run_get(&s.run_id).unwrap());
    println!("{}", store.run_history(&s.run_id, None, 0).unwrap());
}
