/* What opening refuses, that a refused file keeps its bytes, and the modes of the files it makes. */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

/* ---- Modes -------------------------------------------------------------------------------- */

static void check_modes(const char *folder, int files_min) {
    DIR *entries = opendir(folder);
    int count = 0;
    REQUIRE(entries != NULL);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        struct stat status;
        const char *path = lend_format("%s/%s", folder, entry->d_name);
        if (stat(path, &status) != 0 || !S_ISREG(status.st_mode)) continue;
        count++;
        if ((status.st_mode & 07777) != 0600) {
            fail_at(__FILE__, __LINE__, "%s has mode %o", entry->d_name, status.st_mode & 07777);
        }
    }
    closedir(entries);
    CHECK(count >= files_min);
}

static void make_store_under(mode_t mask) {
    mode_t before = umask(mask);
    const char *folder = temp_folder();
    sw_store *store = store_open(temp_path(lend_format("%03o.db", mask)), 0);
    submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    umask(before);
    check_modes(folder, 4);
    finish(attempt, "1");
    sw_store_close(store);
    check_modes(folder, 1);
}

TEST(every_file_of_a_store_has_mode_0600_whatever_the_umask) {
    make_store_under(0);
    make_store_under(022);
    make_store_under(0277);
}

/* ---- Refused files ------------------------------------------------------------------------ */

/* Opens, expects the refusal, and that neither the file nor its log changed. */
static void check_refused(const char *path, uint32_t flags, const int32_t *codes, size_t count,
                          int line) {
    const char *log = lend_format("%s-wal", path);
    struct file_copy before = file_read(path), log_before = file_read(log);
    sw_store_options options = {.struct_size = sizeof options, .flags = flags};
    sw_store *store = POISON(sw_store);
    int32_t code = CODE_OF(sw_store_open(path, &options, &store, ERR));
    check_code_in(__FILE__, line, "sw_store_open", code, codes, count);
    if (code < 0) {
        CHECK(store == NULL);
        CHECK(last_error != NULL);
    } else {
        sw_store_close(store);
    }
    check_file_unchanged(__FILE__, line, &before, path);
    check_file_unchanged(__FILE__, line, &log_before, log);
}

#define CHECK_REFUSED(path, flags, ...)                                                            \
    check_refused((path), (flags), (const int32_t[]){__VA_ARGS__},                                 \
                  COUNT_OF(((const int32_t[]){__VA_ARGS__})), __LINE__)

static const char *write_text_file(const char *name, size_t lines) {
    char *text = lend(lines * 32 + 1);
    for (size_t i = 0; i < lines; i++) strcat(text, "my notes, not a database at all\n");
    const char *path = temp_path(name);
    file_write(path, text, strlen(text));
    return path;
}

TEST(a_text_file_is_not_a_store) {
    CHECK_REFUSED(write_text_file("long.txt", 300), 0, SW_ERR_NOT_A_STORE);
    CHECK_REFUSED(write_text_file("page.txt", 32), 0, SW_ERR_NOT_A_STORE);
    CHECK_REFUSED(write_text_file("short.txt", 1), 0, SW_ERR_NOT_A_STORE);
    CHECK_REFUSED(write_text_file("long.txt", 300), SW_OPEN_READ_ONLY, SW_ERR_NOT_A_STORE);
}

TEST(refusing_a_text_file_leaves_nothing_beside_it) {
    const char *path = write_text_file("notes.txt", 300);
    const char *before = folder_listing(temp_folder());
    CHECK_REFUSED(path, 0, SW_ERR_NOT_A_STORE);
    CHECK_TEXT(before, folder_listing(temp_folder()));
}

TEST(an_empty_file_becomes_a_store) {
    const char *path = temp_path("empty.db");
    file_write(path, "", 0);
    sw_store *store = store_open(path, 0);
    submit(store, "w", NULL);
    finish(claim(store), "1");
    sw_store_close(store);
}

/* A store with some runs, closed. */
static const char *make_store(const char *name) {
    const char *path = temp_path(name);
    sw_store *store = store_open(path, 0);
    for (int i = 0; i < 20; i++) submit(store, "w", "\"something to keep\"");
    sw_store_close(store);
    return path;
}

static void truncate_to(const char *path, size_t len) {
    struct file_copy copy = file_read(path);
    REQUIRE(copy.len > len);
    file_write(path, copy.bytes, len);
}

TEST(a_truncated_store_is_refused) {
    const char *path = make_store("half.db");
    truncate_to(path, file_read(path).len / 2 / 4096 * 4096);
    CHECK_REFUSED(path, 0, SW_ERR_CORRUPT, SW_ERR_NOT_A_STORE);
    truncate_to(path, 4096);
    CHECK_REFUSED(path, 0, SW_ERR_CORRUPT, SW_ERR_NOT_A_STORE);
    truncate_to(path, 1000);
    CHECK_REFUSED(path, 0, SW_ERR_CORRUPT, SW_ERR_NOT_A_STORE);
    truncate_to(path, 50);
    CHECK_REFUSED(path, 0, SW_ERR_CORRUPT, SW_ERR_NOT_A_STORE);
}

TEST(a_store_with_a_damaged_header_is_not_a_store) {
    const char *path = make_store("damaged.db");
    struct file_copy copy = file_read(path);
    memset(copy.bytes, 'x', 16);
    file_write(path, copy.bytes, copy.len);
    CHECK_REFUSED(path, 0, SW_ERR_NOT_A_STORE);
}

TEST(a_refused_store_can_be_opened_once_it_is_whole_again) {
    const char *path = make_store("whole.db");
    struct file_copy whole = file_read(path);
    truncate_to(path, 4096);
    CHECK_REFUSED(path, 0, SW_ERR_CORRUPT, SW_ERR_NOT_A_STORE);
    file_write(path, whole.bytes, whole.len);
    sw_store *store = store_open(path, 0);
    finish(claim(store), "1");
    sw_store_close(store);
}

TEST(a_folder_is_not_a_store) {
    CHECK_REFUSED(temp_folder(), 0, SW_ERR_CANNOT_OPEN, SW_ERR_NOT_A_STORE);
    CHECK(last_error != NULL);
}

TEST(a_missing_folder_is_named_and_not_made) {
    const char *path = temp_path("missing/new.db");
    CHECK_REFUSED(path, 0, SW_ERR_CANNOT_OPEN);
    CHECK_SAYS("missing");
    CHECK(!file_exists(temp_path("missing")));
}

TEST(a_file_with_a_second_hard_link_is_refused) {
    const char *path = make_store("linked.db"), *second = temp_path("second.db");
    REQUIRE(link(path, second) == 0);
    CHECK_REFUSED(path, 0, SW_ERR_UNSUPPORTED);
    CHECK_REFUSED(second, 0, SW_ERR_UNSUPPORTED);
    REQUIRE(unlink(second) == 0);
    sw_store_close(store_open(path, 0));
}

TEST(no_create_refuses_a_missing_file_and_opens_one_that_is_there) {
    const char *path = temp_path("new.db");
    CHECK_REFUSED(path, SW_OPEN_NO_CREATE, SW_ERR_CANNOT_OPEN);
    CHECK_TEXT("", folder_listing(temp_folder()));
    make_store("new.db");
    sw_store_close(store_open(path, SW_OPEN_NO_CREATE));
}

TEST(an_empty_path_is_refused) { CHECK_REFUSED("", 0, SW_ERR_INVALID, SW_ERR_CANNOT_OPEN); }

TEST(a_path_longer_than_the_system_allows_is_refused) {
    char *path = lend(10001);
    memset(path, 'a', 10000);
    CHECK_REFUSED(path, 0, SW_ERR_INVALID, SW_ERR_CANNOT_OPEN, SW_ERR_TOO_BIG);
    path[300] = '\0';
    CHECK_REFUSED(temp_path(path), 0, SW_ERR_INVALID, SW_ERR_CANNOT_OPEN);
}

/* ---- Read only ---------------------------------------------------------------------------- */

TEST(a_store_opened_read_only_can_be_looked_at_and_not_written) {
    const char *path = temp_path("new.db");
    sw_store *store = store_open(path, 0);
    struct run_id id = submit(store, "w", "\"here\"");
    sw_store_close(store);
    struct file_copy before = file_read(path);
    sw_store_options options = {.struct_size = sizeof options, .flags = SW_OPEN_READ_ONLY};
    REQUIRE_CODE(SW_OK, sw_store_open(path, &options, &store, ERR));
    CHECK_STATE("pending", store, id.text);
    CHECK(strstr(history_text(store, id.text), id.text) != NULL);
    char out[SW_ID_CAP] = "untouched";
    sw_attempt *attempt = POISON(sw_attempt);
    CHECK_CODE(SW_ERR_READONLY, sw_run_submit(store, NTS("w"), ABSENT, NULL, out, sizeof out, ERR));
    CHECK_CODE(SW_ERR_READONLY, sw_run_claim(store, ABSENT, NULL, &attempt, ERR));
    CHECK_TEXT("untouched", out);
    CHECK(attempt == NULL);
    sw_store_close(store);
    CHECK_FILE_UNCHANGED(&before, path);
}

TEST(a_missing_file_cannot_be_opened_read_only) {
    CHECK_REFUSED(temp_path("new.db"), SW_OPEN_READ_ONLY, SW_ERR_CANNOT_OPEN);
    CHECK_TEXT("", folder_listing(temp_folder()));
}

TEST(a_store_without_schema_cannot_be_migrated_read_only) {
    const char *path = temp_path("new.db");
    sw_store *store = NULL;
    uint32_t applied = 0;
    REQUIRE_CODE(SW_OK, sw_store_open(path, NULL, &store, ERR));
    sw_store_close(store);
    sw_store_options options = {.struct_size = sizeof options, .flags = SW_OPEN_READ_ONLY};
    store = NULL;
    int32_t code = CODE_OF(sw_store_open(path, &options, &store, ERR));
    if (code == SW_OK) CHECK_CODE(SW_ERR_READONLY, sw_store_init(store, &applied, ERR));
    sw_store_close(store);
}

/* ---- Without permission ------------------------------------------------------------------- */

#define NOBODY 65534

/* As nobody: opens argv[0] with the flags argv[1] and tells the code and the message. */
ROLE(open_as_nobody) {
    (void)argc;
    if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0) return tell("cannot drop privileges"), 0;
    sw_store_options options = {.struct_size = sizeof options,
                                .flags = (uint32_t)strtoul(argv[1], NULL, 10)};
    sw_store *store = NULL;
    int32_t code = CODE_OF(sw_store_open(argv[0], &options, &store, ERR));
    CHECK((code < 0) == (store == NULL));
    tell("%s", sw_code_name(code));
    if (code < 0) CHECK(strstr(sw_error_message(last_error), ".db") != NULL);
    sw_store_close(store);
    return 0;
}

static const char *code_as_nobody(const char *path, uint32_t flags) {
    if (geteuid() != 0) skip("only root can become nobody; run as root, or trust the other tests");
    struct child *child = child_start("open_as_nobody", path, lend_format("%u", flags), NULL);
    const char *line = child_line(child);
    child_finish(child);
    if (strncmp(line, "SW_", 3) != 0) skip(lend_format("cannot become nobody: %s", line));
    return line;
}

TEST(a_folder_without_write_permission_cannot_take_a_new_store) {
    REQUIRE(chmod(temp_folder(), 0555) == 0);
    CHECK_TEXT("SW_ERR_CANNOT_OPEN", code_as_nobody(temp_path("new.db"), 0));
    CHECK_TEXT("", folder_listing(temp_folder()));
}

TEST(a_file_without_read_permission_cannot_be_opened) {
    const char *path = make_store("new.db");
    REQUIRE(chmod(temp_folder(), 0777) == 0 && chmod(path, 0600) == 0);
    CHECK_TEXT("SW_ERR_CANNOT_OPEN", code_as_nobody(path, 0));
    CHECK_TEXT("SW_ERR_CANNOT_OPEN", code_as_nobody(path, SW_OPEN_READ_ONLY));
}

TEST(a_file_without_write_permission_is_not_opened_for_writing) {
    const char *path = make_store("new.db");
    struct file_copy before = file_read(path);
    REQUIRE(chmod(temp_folder(), 0555) == 0 && chmod(path, 0444) == 0);
    const char *code = code_as_nobody(path, 0);
    CHECK(strcmp(code, "SW_ERR_READONLY") == 0 || strcmp(code, "SW_ERR_CANNOT_OPEN") == 0);
    CHECK_FILE_UNCHANGED(&before, path);
}
