#include <smolwf.hpp>

#include <cassert>

/* The next cursor of a page, which a program reads with its JSON library. */
static std::string show(const smolwf::text &page) {
    const std::string_view view = page.view();
    const size_t at = view.find("\"next\":\"");
    if (at == view.npos) return "";
    const std::string_view rest = view.substr(at + 8);
    return std::string(rest.substr(0, rest.find('"')));
}

int main() {
    smolwf::store store = smolwf::store::open_in_memory();
    smolwf::store other = smolwf::store::open_in_memory();
    store.init();
    other.init();
    const uint64_t after_seq = 0;
    const smolwf::id_text run_id = store.run_submit("invoice").value;
    {
        smolwf::attempt attempt = store.run_claim().value;
        static_cast<void>(attempt.event_append("progress", "1"));
    }
    /* HERE */
    assert(open == 1 && code == SW_OK && came.view().find(run_id.view()) != std::string_view::npos);
    for (const smolwf::text *each : {&done, &gone, &left, &why, &events})
        assert(!each->view().empty());
}
