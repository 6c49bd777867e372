#include <smolwf_worker.hpp>

#include <cassert>

int main() {
    smolwf::store store = smolwf::store::open_in_memory();
    store.init();
    /* HERE */
    smolwf::transaction fill;
    fill.sql("INSERT INTO accounts VALUES(7, 300)");
    store.tx_run(fill.script());
    static_cast<void>(store.run_submit("transfer", R"({"payer":7})"));
    smolwf::worker worker(store, {{"transfer", transfer}});
    assert(worker.run_once());
    const smolwf::text left = store.query("SELECT cents FROM accounts");
    assert(left.view().find("[[200]]") != std::string_view::npos && !rows.view().empty());
    assert(store.run_count(R"({"workflow":"mail"})") == 1);
}
