-- introduced_version: 0.1.0
--
-- Large payloads stand apart from the rows that carry them, once however many carry the same bytes, and
-- compressed where that is shorter. A column of args, results or payloads then holds '@' and the key of
-- what it means: no JSON begins so. What was written before stays as it stands, args above 2 KiB in
-- sw_payloads.

-- Appended; what is packed is a BLOB, what is not a TEXT.
CREATE TABLE sw_payload_bodies (
    payload_key         INTEGER PRIMARY KEY,
    hash                BLOB NOT NULL,      -- BLAKE3 of the payload
    length              INTEGER NOT NULL,   -- its bytes
    content             ANY NOT NULL        -- itself, or as one LZ4 block
) STRICT;

-- How many columns name a payload, apart from its content, so that counting writes one page. The same
-- bytes have the same hash and are found by it.
CREATE TABLE sw_payload_hashes (
    hash                BLOB PRIMARY KEY NOT NULL,
    payload_key         INTEGER NOT NULL,
    named               INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
