/* Version, codes, errors, texts and ids: what works without a store. */
#include "support.h"

#include "reader.h"

#include <pthread.h>

struct named_code {
    int32_t code;
    const char *name;
};

static const struct named_code codes[] = {
    {SW_OK, "SW_OK"},
    {SW_NONE, "SW_NONE"},
    {SW_TIMEOUT, "SW_TIMEOUT"},
    {SW_REPLAYED, "SW_REPLAYED"},
    {SW_EXISTS, "SW_EXISTS"},
    {SW_SUSPEND, "SW_SUSPEND"},
    {SW_FAILED, "SW_FAILED"},
    {SW_ERR_MISUSE, "SW_ERR_MISUSE"},
    {SW_ERR_INVALID, "SW_ERR_INVALID"},
    {SW_ERR_NOT_FOUND, "SW_ERR_NOT_FOUND"},
    {SW_ERR_TOO_BIG, "SW_ERR_TOO_BIG"},
    {SW_ERR_UNSUPPORTED, "SW_ERR_UNSUPPORTED"},
    {SW_ERR_CLOSED, "SW_ERR_CLOSED"},
    {SW_ERR_FORKED, "SW_ERR_FORKED"},
    {SW_ERR_SECOND_COPY, "SW_ERR_SECOND_COPY"},
    {SW_ERR_LEASE_LOST, "SW_ERR_LEASE_LOST"},
    {SW_ERR_CANCELLED, "SW_ERR_CANCELLED"},
    {SW_ERR_NONDETERMINISM, "SW_ERR_NONDETERMINISM"},
    {SW_ERR_CONFLICT, "SW_ERR_CONFLICT"},
    {SW_ERR_SCHEMA_OLD, "SW_ERR_SCHEMA_OLD"},
    {SW_ERR_SCHEMA_NEW, "SW_ERR_SCHEMA_NEW"},
    {SW_ERR_SCHEMA_FOREIGN, "SW_ERR_SCHEMA_FOREIGN"},
    {SW_ERR_TARGET_OLDER, "SW_ERR_TARGET_OLDER"},
    {SW_ERR_BUDGET, "SW_ERR_BUDGET"},
    {SW_ERR_SCHEMA_EDITED, "SW_ERR_SCHEMA_EDITED"},
    {SW_ERR_MOVED, "SW_ERR_MOVED"},
    {SW_ERR_BUSY, "SW_ERR_BUSY"},
    {SW_ERR_IO, "SW_ERR_IO"},
    {SW_ERR_FULL, "SW_ERR_FULL"},
    {SW_ERR_READONLY, "SW_ERR_READONLY"},
    {SW_ERR_CORRUPT, "SW_ERR_CORRUPT"},
    {SW_ERR_NOMEM, "SW_ERR_NOMEM"},
    {SW_ERR_NOT_A_STORE, "SW_ERR_NOT_A_STORE"},
    {SW_ERR_CANNOT_OPEN, "SW_ERR_CANNOT_OPEN"},
    {SW_ERR_INTERNAL, "SW_ERR_INTERNAL"},
    {SW_ERR_PANIC, "SW_ERR_PANIC"},
    {SW_ERR_POISONED, "SW_ERR_POISONED"},
    {SW_ERR_WAL_LOST, "SW_ERR_WAL_LOST"},
};

/* ---- Version ------------------------------------------------------------------------------ */

TEST(the_version_number_is_made_of_the_version_text) {
    unsigned major = 0, minor = 0, patch = 0;
    REQUIRE(sscanf(sw_version(), "%u.%u.%u", &major, &minor, &patch) == 3);
    CHECK_INT(major << 16 | minor << 8 | patch, sw_version_number());
}

TEST(the_library_accepts_the_abi_of_its_own_header_only) {
    CHECK_INT(SW_ABI_VERSION, sw_abi_version());
    CHECK_INT(SW_OK, sw_abi_check(SW_ABI_VERSION));
    CHECK_INT(SW_ERR_UNSUPPORTED, sw_abi_check(SW_ABI_VERSION + 1));
    CHECK_INT(SW_ERR_UNSUPPORTED, sw_abi_check(UINT32_MAX));
}

TEST(the_build_info_is_a_json_object_with_the_versions_and_the_panic_mode) {
    const struct value *info = value_read(sw_build_info());
    REQUIRE(info != NULL && info->kind == VALUE_OBJECT);
    CHECK(strstr(sw_build_info(), sw_version()) != NULL);
    CHECK(strstr(sw_build_info(), "\"3.") != NULL);
    CHECK(strstr(sw_build_info(), "unwind") != NULL);
    CHECK(sw_build_info() == sw_build_info());
}

/* ---- Codes and errors --------------------------------------------------------------------- */

TEST(each_code_has_the_name_of_its_constant) {
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        CHECK_TEXT(codes[i].name, sw_code_name(codes[i].code));
    }
}

TEST(the_name_of_an_unknown_code_is_a_text_of_its_own) {
    const int32_t unknown[] = {7, 999, -4, -10, -31, -59, -64, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < COUNT_OF(unknown); i++) {
        const char *name = sw_code_name(unknown[i]);
        REQUIRE(name != NULL && name[0] != '\0');
        for (size_t j = 0; j < COUNT_OF(codes); j++) CHECK(strcmp(name, codes[j].name) != 0);
    }
}

TEST(an_error_tells_code_and_value_and_is_not_retryable_when_the_argument_is_wrong) {
    char id[SW_ID_CAP];
    CHECK_CODE(SW_ERR_INVALID, sw_new_id(NTS("Wrong"), id, sizeof id, ERR));
    CHECK_SAYS("Wrong");
    REQUIRE(last_error != NULL);
    CHECK_INT(SW_ERR_INVALID, sw_error_code(last_error));
    CHECK_INT(0, sw_error_engine_code(last_error));
    CHECK_INT(0, sw_error_is_retryable(last_error));
}

TEST(an_error_slot_that_was_never_set_is_overwritten_and_not_freed) {
    char id[SW_ID_CAP];
    sw_error *error = POISON(sw_error);
    CHECK_INT(SW_ERR_INVALID, sw_new_id(NTS("Wrong"), id, sizeof id, &error));
    REQUIRE(error != POISON(sw_error) && error != NULL);
    CHECK_INT(SW_ERR_INVALID, sw_error_code(error));
    sw_error_free(error);
}

static void read_and_free(void *shared) {
    sw_error *error = shared;
    CHECK_INT(SW_ERR_INVALID, sw_error_code(error));
    CHECK(strstr(sw_error_message(error), "Wrong") != NULL);
    sw_error_free(error);
}

TEST(an_error_may_be_read_and_freed_by_another_thread) {
    char id[SW_ID_CAP];
    sw_error *error = NULL;
    CHECK_INT(SW_ERR_INVALID, sw_new_id(NTS("Wrong"), id, sizeof id, &error));
    thread_join(thread_start(read_and_free, error));
}

TEST(freeing_nothing_is_allowed) {
    sw_error_free(NULL);
    sw_text_free(NULL);
    sw_store_close(NULL);
    sw_store_shutdown(NULL);
    sw_attempt_free(NULL);
    sw_step_free(NULL);
    sw_stop_free(NULL);
    sw_stop_fire(NULL);
}

/* ---- Texts -------------------------------------------------------------------------------- */

static void check_quoted(const char *text, size_t len) {
    sw_text *quoted = NULL;
    size_t quoted_len = 0;
    REQUIRE_CODE(SW_OK, sw_json_quote(text, len, &quoted, ERR));
    const char *bytes = sw_text_data(quoted, &quoted_len);
    CHECK_INT(strlen(bytes), quoted_len);
    const struct value *value = value_read(bytes);
    if (CHECK(value != NULL && value->kind == VALUE_TEXT)) {
        CHECK_BYTES(text, len == SW_NTS ? strlen(text) : len, value->text, value->text_len);
    }
    sw_text_free(quoted);
}

TEST(a_quoted_text_reads_back_as_the_same_text) {
    check_quoted(NTS("plain"));
    check_quoted(NTS(""));
    check_quoted(NTS("say \"hi\" \\ / and \b\f\n\r\t"));
    check_quoted(NTS("\x01\x1f\x7f"));
    check_quoted(NTS("gr\xc3\xbc\xc3\x9f"
                     "e \xe2\x82\xac \xf0\x9f\x98\x80"));
    check_quoted("only this, not that", 9);
    check_quoted("a\0b", 3);
}

TEST(quoting_a_text_that_is_not_utf8_is_refused) {
    sw_text *quoted = POISON(sw_text);
    CHECK_CODE(SW_ERR_INVALID, sw_json_quote(NTS("a\xff"), &quoted, ERR));
    CHECK(quoted == NULL);
    CHECK_CODE(SW_ERR_INVALID, sw_json_quote(ABSENT, &quoted, ERR));
    CHECK(quoted == NULL);
}

TEST(the_length_of_a_text_need_not_be_asked_for) {
    sw_text *quoted = NULL;
    REQUIRE_CODE(SW_OK, sw_json_quote(NTS("abc"), &quoted, ERR));
    CHECK_TEXT("\"abc\"", sw_text_data(quoted, NULL));
    sw_text_free(quoted);
}

/* ---- Ids ---------------------------------------------------------------------------------- */

static bool is_id_of(const char *prefix, const char *id) {
    size_t len = strlen(prefix);
    if (strncmp(id, prefix, len) != 0 || id[len] != '_') return false;
    const char *ulid = id + len + 1;
    return strlen(ulid) == 26 && ulid[0] <= '7' &&
           strspn(ulid, "0123456789abcdefghjkmnpqrstvwxyz") == 26;
}

static void check_id(const char *prefix) {
    char id[SW_ID_CAP];
    CHECK_CODE(SW_OK, sw_new_id(NTS(prefix), id, sizeof id, ERR));
    CHECK(is_id_of(prefix, id));
}

TEST(an_id_is_its_prefix_and_26_lower_case_crockford_characters) {
    check_id("run");
    check_id("a");
    check_id("a_1_b");
    check_id("abcdefghijklmnopqrstuvwxyz_0123");
}

TEST(a_prefix_outside_its_form_is_refused_and_nothing_is_written) {
    static const char *const wrong[] = {
        "", "A", "aB", "1a", "_a", "a-b", "a b", "\xc3\xa4", "abcdefghijklmnopqrstuvwxyz_01234"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        char id[SW_ID_CAP] = "untouched";
        CHECK_CODE(SW_ERR_INVALID, sw_new_id(NTS(wrong[i]), id, sizeof id, ERR));
        CHECK_TEXT("untouched", id);
    }
}

TEST(a_prefix_of_given_length_ends_there) {
    char id[SW_ID_CAP];
    CHECK_CODE(SW_OK, sw_new_id("runaway", 3, id, sizeof id, ERR));
    CHECK(is_id_of("run", id));
}

TEST(room_under_64_bytes_for_an_id_is_refused) {
    char id[SW_ID_CAP] = "untouched";
    CHECK_CODE(SW_ERR_INVALID, sw_new_id(NTS("run"), id, SW_ID_CAP - 1, ERR));
    CHECK_SAYS("63");
    CHECK_SAYS("64");
    CHECK_CODE(SW_ERR_INVALID, sw_new_id(NTS("run"), id, 0, ERR));
    CHECK_TEXT("untouched", id);
}

#define MANY 100000

TEST(a_hundred_thousand_ids_of_one_prefix_strictly_increase) {
    char before[SW_ID_CAP] = "", id[SW_ID_CAP];
    for (int i = 0; i < MANY; i++) {
        REQUIRE(sw_new_id(NTS("evt"), id, sizeof id, NULL) == SW_OK);
        REQUIRE(strcmp(before, id) < 0);
        memcpy(before, id, sizeof id);
    }
}

#define THREADS 8
#define IDS_PER_THREAD (MANY / THREADS)

static struct run_id made[THREADS][IDS_PER_THREAD];

static void make_ids(int index, void *shared) {
    (void)shared;
    for (int i = 0; i < IDS_PER_THREAD; i++) {
        CHECK(sw_new_id(NTS("run"), made[index][i].text, SW_ID_CAP, NULL) == SW_OK);
    }
}

static int compare_ids(const void *left, const void *right) {
    return strcmp(((const struct run_id *)left)->text, ((const struct run_id *)right)->text);
}

TEST(ids_of_eight_threads_are_unique_and_increase_within_each) {
    in_threads(THREADS, make_ids, NULL);
    for (int t = 0; t < THREADS; t++) {
        for (int i = 1; i < IDS_PER_THREAD; i++) {
            REQUIRE(strcmp(made[t][i - 1].text, made[t][i].text) < 0);
        }
    }
    qsort(made, (size_t)THREADS * IDS_PER_THREAD, sizeof made[0][0], compare_ids);
    const struct run_id *all = made[0];
    for (int i = 1; i < THREADS * IDS_PER_THREAD; i++) {
        REQUIRE(strcmp(all[i - 1].text, all[i].text) < 0);
    }
}

struct sequence {
    pthread_mutex_t lock;
    int count;
    struct run_id ids[THREADS * 1000];
};

static void append_ids(int index, void *shared) {
    struct sequence *sequence = shared;
    (void)index;
    for (int i = 0; i < 1000; i++) {
        pthread_mutex_lock(&sequence->lock);
        CHECK(sw_new_id(NTS("run"), sequence->ids[sequence->count++].text, SW_ID_CAP, NULL) ==
              SW_OK);
        pthread_mutex_unlock(&sequence->lock);
    }
}

TEST(ids_made_one_after_another_by_different_threads_increase) {
    static struct sequence sequence = {.lock = PTHREAD_MUTEX_INITIALIZER};
    in_threads(THREADS, append_ids, &sequence);
    for (int i = 1; i < sequence.count; i++)
        REQUIRE(strcmp(sequence.ids[i - 1].text, sequence.ids[i].text) < 0);
}

static void make_id_in_child(void *shared) {
    int *pipe_ends = shared;
    struct run_id ids[100];
    for (int i = 0; i < 100; i++) {
        CHECK_CODE(SW_OK, sw_new_id(NTS("run"), ids[i].text, SW_ID_CAP, ERR));
    }
    CHECK(write(pipe_ends[1], ids, sizeof ids) == (ssize_t)sizeof ids);
}

TEST(a_forked_child_does_not_repeat_the_ids_of_its_parent) {
    struct run_id all[300];
    int pipe_ends[2];
    REQUIRE(pipe(pipe_ends) == 0);
    CHECK_CODE(SW_OK, sw_new_id(NTS("run"), all[0].text, SW_ID_CAP, ERR));
    in_forked_child(make_id_in_child, pipe_ends);
    in_forked_child(make_id_in_child, pipe_ends);
    for (int i = 0; i < 100; i++) {
        CHECK_CODE(SW_OK, sw_new_id(NTS("run"), all[i].text, SW_ID_CAP, ERR));
    }
    CHECK(read(pipe_ends[0], &all[100], sizeof all / 3) == (ssize_t)sizeof all / 3);
    CHECK(read(pipe_ends[0], &all[200], sizeof all / 3) == (ssize_t)sizeof all / 3);
    qsort(all, COUNT_OF(all), sizeof all[0], compare_ids);
    for (size_t i = 1; i < COUNT_OF(all); i++) CHECK(strcmp(all[i - 1].text, all[i].text) != 0);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}
