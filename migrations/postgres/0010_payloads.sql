-- introduced_version: 0.1.0
--
-- Payloads: the server packs long ones and keeps them apart from their rows. LZ4 where it has it: four
-- times as fast as its own way at about the same size.

DO $do$
DECLARE
    of record;
BEGIN
    FOR of IN VALUES
        ('sw_workflow_runs', 'args'), ('sw_workflow_runs', 'result'), ('sw_workflow_steps', 'result'),
        ('sw_workflow_signals', 'payload'), ('sw_workflow_events', 'payload')
    LOOP
        EXECUTE format(
            'ALTER TABLE %s.%I ALTER COLUMN %I SET COMPRESSION lz4', '$schema', of.column1, of.column2
        );
    END LOOP;
EXCEPTION
    WHEN feature_not_supported THEN NULL;
END
$do$;
