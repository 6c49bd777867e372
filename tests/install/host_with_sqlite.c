/* A host that runs an SQLite of its own beside ours; ends with 0 when each is its own. */
#include <smolwf.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
int main(void) {
    sqlite3 *own;
    sqlite3_stmt *ask;
    sw_store *store;
    uint32_t applied;
    if (sqlite3_open(":memory:", &own) != SQLITE_OK) return 1;
    if (sw_store_open("beside.db", NULL, &store, NULL) != SW_OK) return 2;
    if (sw_store_init(store, &applied, NULL) != SW_OK || applied == 0) return 3;
    if (sqlite3_prepare_v2(own, "SELECT sqlite_source_id()", -1, &ask, NULL) != SQLITE_OK) return 4;
    if (sqlite3_step(ask) != SQLITE_ROW) return 5;
    const char *id = (const char *)sqlite3_column_text(ask, 0);
    if (strcmp(id, SQLITE_SOURCE_ID) != 0) return 6; /* not the SQLite that its header is of */
    if (strstr(sw_build_info(), id) != NULL) return 7; /* it runs ours */
    printf("host: %s\nours: %s\n", id, sw_build_info());
    sqlite3_finalize(ask);
    sqlite3_close(own);
    sw_store_close(store);
    return 0;
}
