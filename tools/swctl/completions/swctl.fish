# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_swctl_global_optspecs
    string join \n json jsonl table busy= h/help V/version
end

function __fish_swctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_swctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    # The file stands before the command, but for those that take none.
    if set -q argv[1]; and not contains -- $argv[1] completions help man version
        set -e argv[1]
    end
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_swctl_using_subcommand
    set -l cmd (__fish_swctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c swctl -n "__fish_swctl_needs_command" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_needs_command" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_needs_command" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_needs_command" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c swctl -n "__fish_swctl_needs_command" -s V -l version -d 'Print version'
complete -c swctl -n "__fish_swctl_needs_command" -a "ls" -d 'List runs, the newest first'
complete -c swctl -n "__fish_swctl_needs_command" -a "list" -d 'List runs, the newest first'
complete -c swctl -n "__fish_swctl_needs_command" -a "show" -d 'Tell the whole story of a run: state, attempts, steps, what it waits for'
complete -c swctl -n "__fish_swctl_needs_command" -a "why" -d 'Say why a run does not move, and what to do about it'
complete -c swctl -n "__fish_swctl_needs_command" -a "tree" -d 'Draw the tree that a run belongs to'
complete -c swctl -n "__fish_swctl_needs_command" -a "steps" -d 'List what a run recorded: steps, sleeps, awaits'
complete -c swctl -n "__fish_swctl_needs_command" -a "events" -d 'List events of the log, or follow it'
complete -c swctl -n "__fish_swctl_needs_command" -a "stats" -d 'Show counts of runs, queues that are full, how large it is'
complete -c swctl -n "__fish_swctl_needs_command" -a "queues" -d 'List queues: limits, what stands in them, when something was last claimed'
complete -c swctl -n "__fish_swctl_needs_command" -a "owners" -d 'List owners: the processes that have claimed, and whether they live'
complete -c swctl -n "__fish_swctl_needs_command" -a "schedules" -d 'List schedules: when they fire next, what the last firing made'
complete -c swctl -n "__fish_swctl_needs_command" -a "budget" -d 'Show the budget of a run\'s tree'
complete -c swctl -n "__fish_swctl_needs_command" -a "top" -d 'Show the store live: queues, what moves, the oldest that wait, owners'
complete -c swctl -n "__fish_swctl_needs_command" -a "serve" -d 'Show the store as a page in a browser, until it is interrupted'
complete -c swctl -n "__fish_swctl_needs_command" -a "wait" -d 'Wait until a run has ended; 1 if it failed or was cancelled, 5 if it did not end in time'
complete -c swctl -n "__fish_swctl_needs_command" -a "backup" -d 'Copy the file of a store to a new one while others write; one on a server is pg_dump\'s'
complete -c swctl -n "__fish_swctl_needs_command" -a "check" -d 'Look whether the store is whole; 1 if it is not'
complete -c swctl -n "__fish_swctl_needs_command" -a "export" -d 'Write a topmost run with all below it as one document'
complete -c swctl -n "__fish_swctl_needs_command" -a "bundle" -d 'Collect what a report of a fault needs, as one JSON document'
complete -c swctl -n "__fish_swctl_needs_command" -a "sql" -d 'Ask one SQL query of the store, in the words of its engine'
complete -c swctl -n "__fish_swctl_needs_command" -a "submit" -d 'Submit a run, and print its id'
complete -c swctl -n "__fish_swctl_needs_command" -a "signal" -d 'Send a signal to a run'
complete -c swctl -n "__fish_swctl_needs_command" -a "send" -d 'Send a signal to a run'
complete -c swctl -n "__fish_swctl_needs_command" -a "cancel" -d 'Cancel runs with all below them'
complete -c swctl -n "__fish_swctl_needs_command" -a "pause" -d 'Set runs aside until they are resumed'
complete -c swctl -n "__fish_swctl_needs_command" -a "resume" -d 'Put paused runs back'
complete -c swctl -n "__fish_swctl_needs_command" -a "retry" -d 'Open failed or cancelled runs again'
complete -c swctl -n "__fish_swctl_needs_command" -a "fork" -d 'Make a new run that replays what a run did before a step, and print its id'
complete -c swctl -n "__fish_swctl_needs_command" -a "annotate" -d 'Change the metadata of a run'
complete -c swctl -n "__fish_swctl_needs_command" -a "queue" -d 'Set the limits of a queue, pause it, or let it go on'
complete -c swctl -n "__fish_swctl_needs_command" -a "prune" -d 'Remove runs that have ended, whole trees at a time'
complete -c swctl -n "__fish_swctl_needs_command" -a "compact" -d 'Give pages that hold nothing back to the file system'
complete -c swctl -n "__fish_swctl_needs_command" -a "import" -d 'Bring a document of `export` into this store, where its runs go on'
complete -c swctl -n "__fish_swctl_needs_command" -a "move" -d 'Move the whole store into another one, with its runs in flight: into a file, or a server'
complete -c swctl -n "__fish_swctl_needs_command" -a "retention" -d 'Show the policy by which what has ended goes by itself, set it, or end it'
complete -c swctl -n "__fish_swctl_needs_command" -a "migrate" -d 'Bring the schema of the file to this version\'s'
complete -c swctl -n "__fish_swctl_needs_command" -a "completions" -d 'Write completions for a shell to standard output'
complete -c swctl -n "__fish_swctl_needs_command" -a "man" -d 'Write the manual page to standard output'
complete -c swctl -n "__fish_swctl_needs_command" -a "version" -d 'Say which version this is, and how its library was built'
complete -c swctl -n "__fish_swctl_needs_command" -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l state -d 'pending, running, waiting, paused, completed, failed or cancelled; several with commas' -r
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l workflow -d 'Name of the workflow' -r
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l queue -d 'Name of the queue' -r
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l code-version -d 'Version of the code' -r
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l worker -d 'Worker of the newest attempt' -r
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l parent -d 'Submitted by this run' -r
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l root -d 'In the tree of this topmost run' -r
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l from -d 'Submitted at this time or later' -r
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l to -d 'Submitted before this time' -r
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l ended-from -d 'Ended at this time or later' -r
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l ended-to -d 'Ended before this time' -r
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l meta -d 'A member of its metadata; may be given again' -r
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l key -d 'Its idempotency key' -r
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l scope -d 'The scope of its idempotency key' -r
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l error -d 'Text that its error contains' -r
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l where -d 'A filter of the library, JSON, instead of the options above' -r
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l limit -d 'List at most so many' -r
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l cursor -d 'Go on after a page: what `next` said in a document of --json' -r
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l roots -d 'Only topmost runs'
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l cancel-asked -d 'Told to end, and has not yet'
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l oldest -d 'The oldest first'
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l all -d 'List all of them'
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l count -d 'Only say how many there are'
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand ls" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand ls" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand list" -l state -d 'pending, running, waiting, paused, completed, failed or cancelled; several with commas' -r
complete -c swctl -n "__fish_swctl_using_subcommand list" -l workflow -d 'Name of the workflow' -r
complete -c swctl -n "__fish_swctl_using_subcommand list" -l queue -d 'Name of the queue' -r
complete -c swctl -n "__fish_swctl_using_subcommand list" -l code-version -d 'Version of the code' -r
complete -c swctl -n "__fish_swctl_using_subcommand list" -l worker -d 'Worker of the newest attempt' -r
complete -c swctl -n "__fish_swctl_using_subcommand list" -l parent -d 'Submitted by this run' -r
complete -c swctl -n "__fish_swctl_using_subcommand list" -l root -d 'In the tree of this topmost run' -r
complete -c swctl -n "__fish_swctl_using_subcommand list" -l from -d 'Submitted at this time or later' -r
complete -c swctl -n "__fish_swctl_using_subcommand list" -l to -d 'Submitted before this time' -r
complete -c swctl -n "__fish_swctl_using_subcommand list" -l ended-from -d 'Ended at this time or later' -r
complete -c swctl -n "__fish_swctl_using_subcommand list" -l ended-to -d 'Ended before this time' -r
complete -c swctl -n "__fish_swctl_using_subcommand list" -l meta -d 'A member of its metadata; may be given again' -r
complete -c swctl -n "__fish_swctl_using_subcommand list" -l key -d 'Its idempotency key' -r
complete -c swctl -n "__fish_swctl_using_subcommand list" -l scope -d 'The scope of its idempotency key' -r
complete -c swctl -n "__fish_swctl_using_subcommand list" -l error -d 'Text that its error contains' -r
complete -c swctl -n "__fish_swctl_using_subcommand list" -l where -d 'A filter of the library, JSON, instead of the options above' -r
complete -c swctl -n "__fish_swctl_using_subcommand list" -l limit -d 'List at most so many' -r
complete -c swctl -n "__fish_swctl_using_subcommand list" -l cursor -d 'Go on after a page: what `next` said in a document of --json' -r
complete -c swctl -n "__fish_swctl_using_subcommand list" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand list" -l roots -d 'Only topmost runs'
complete -c swctl -n "__fish_swctl_using_subcommand list" -l cancel-asked -d 'Told to end, and has not yet'
complete -c swctl -n "__fish_swctl_using_subcommand list" -l oldest -d 'The oldest first'
complete -c swctl -n "__fish_swctl_using_subcommand list" -l all -d 'List all of them'
complete -c swctl -n "__fish_swctl_using_subcommand list" -l count -d 'Only say how many there are'
complete -c swctl -n "__fish_swctl_using_subcommand list" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand list" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand list" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand list" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand show" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand show" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand show" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand show" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand show" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand why" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand why" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand why" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand why" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand why" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand tree" -l limit -d 'Draw at most so many runs' -r
complete -c swctl -n "__fish_swctl_using_subcommand tree" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand tree" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand tree" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand tree" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand tree" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand steps" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand steps" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand steps" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand steps" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand steps" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand events" -l after -d 'Begin after this number, instead of with the last ones' -r
complete -c swctl -n "__fish_swctl_using_subcommand events" -l last -d 'Begin with so many of the last' -r
complete -c swctl -n "__fish_swctl_using_subcommand events" -l type -d 'Only events of this type; may be given again' -r
complete -c swctl -n "__fish_swctl_using_subcommand events" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand events" -s f -l follow -d 'Follow the log until Ctrl-C'
complete -c swctl -n "__fish_swctl_using_subcommand events" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand events" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand events" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand events" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand stats" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand stats" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand stats" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand stats" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand stats" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand queues" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand queues" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand queues" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand queues" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand queues" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand owners" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand owners" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand owners" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand owners" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand owners" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand schedules" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand schedules" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand schedules" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand schedules" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand schedules" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand budget" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand budget" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand budget" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand budget" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand budget" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand top" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand top" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand top" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand top" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand top" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand serve" -l listen -d 'Where to listen; the system picks the port where it is 0' -r
complete -c swctl -n "__fish_swctl_using_subcommand serve" -l token-file -d 'Take the token from this file; what listens on other addresses than this machine\'s own wants one' -r -F
complete -c swctl -n "__fish_swctl_using_subcommand serve" -l host -d 'Also answer to this name, as of a proxy: NAME or NAME:PORT as browsers send it' -r
complete -c swctl -n "__fish_swctl_using_subcommand serve" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand serve" -l write -d 'Let the page act: retry, cancel, pause, resume, signal, fork, and more'
complete -c swctl -n "__fish_swctl_using_subcommand serve" -l redact -d 'Hide what runs carry: args, results, errors, metadata, signals, events'
complete -c swctl -n "__fish_swctl_using_subcommand serve" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand serve" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand serve" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand serve" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand wait" -l timeout -d 'Wait at most so long: 30s, 10m' -r
complete -c swctl -n "__fish_swctl_using_subcommand wait" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand wait" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand wait" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand wait" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand wait" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand backup" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand backup" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand backup" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand backup" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand backup" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand check" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand check" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand check" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand check" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand check" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand export" -s o -l output -d 'Write it to this new file instead of standard output' -r -F
complete -c swctl -n "__fish_swctl_using_subcommand export" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand export" -l redact -d 'Leave payloads, keys and workers out: for a report; it cannot be imported'
complete -c swctl -n "__fish_swctl_using_subcommand export" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand export" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand export" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand export" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand bundle" -s o -l output -d 'Write it to this new file instead of standard output' -r -F
complete -c swctl -n "__fish_swctl_using_subcommand bundle" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand bundle" -l payloads -d 'Keep payloads as they are'
complete -c swctl -n "__fish_swctl_using_subcommand bundle" -l no-check -d 'Leave the check of the file out, which reads all of it'
complete -c swctl -n "__fish_swctl_using_subcommand bundle" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand bundle" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand bundle" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand bundle" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand sql" -l params -d 'Its parameters: a JSON array or object' -r
complete -c swctl -n "__fish_swctl_using_subcommand sql" -l rows -d 'Give at most so many rows' -r
complete -c swctl -n "__fish_swctl_using_subcommand sql" -l timeout -d 'End it after so long' -r
complete -c swctl -n "__fish_swctl_using_subcommand sql" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand sql" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand sql" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand sql" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand sql" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand submit" -l queue -d 'Queue; else "default"' -r
complete -c swctl -n "__fish_swctl_using_subcommand submit" -l key -d 'Make one run under this key, however often this is repeated' -r
complete -c swctl -n "__fish_swctl_using_subcommand submit" -l scope -d 'Scope within which the key counts' -r
complete -c swctl -n "__fish_swctl_using_subcommand submit" -l priority -d 'The lower goes first' -r
complete -c swctl -n "__fish_swctl_using_subcommand submit" -l tries -d 'Tries before it fails for good' -r
complete -c swctl -n "__fish_swctl_using_subcommand submit" -l in -d 'Begin after so long' -r
complete -c swctl -n "__fish_swctl_using_subcommand submit" -l at -d 'Begin at this time' -r
complete -c swctl -n "__fish_swctl_using_subcommand submit" -l timeout -d 'Fail it when it has not ended after so long' -r
complete -c swctl -n "__fish_swctl_using_subcommand submit" -l concurrency-key -d 'Runs of the queue with the same key share its limit per key' -r
complete -c swctl -n "__fish_swctl_using_subcommand submit" -l code-version -d 'Version of the code that may run it' -r
complete -c swctl -n "__fish_swctl_using_subcommand submit" -l meta -d 'A member of its metadata; may be given again' -r
complete -c swctl -n "__fish_swctl_using_subcommand submit" -l budget -d 'What its tree may spend of a unit; may be given again' -r
complete -c swctl -n "__fish_swctl_using_subcommand submit" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand submit" -l wait -d 'Wait until it has ended, as `wait` does'
complete -c swctl -n "__fish_swctl_using_subcommand submit" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand submit" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand submit" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand submit" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand signal" -l key -d 'Send it once under this key, however often this is repeated' -r
complete -c swctl -n "__fish_swctl_using_subcommand signal" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand signal" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand signal" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand signal" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand signal" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand send" -l key -d 'Send it once under this key, however often this is repeated' -r
complete -c swctl -n "__fish_swctl_using_subcommand send" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand send" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand send" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand send" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand send" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -l state -d 'pending, running, waiting, paused, completed, failed or cancelled; several with commas' -r
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -l workflow -d 'Name of the workflow' -r
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -l queue -d 'Name of the queue' -r
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -l code-version -d 'Version of the code' -r
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -l worker -d 'Worker of the newest attempt' -r
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -l parent -d 'Submitted by this run' -r
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -l root -d 'In the tree of this topmost run' -r
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -l from -d 'Submitted at this time or later' -r
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -l to -d 'Submitted before this time' -r
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -l ended-from -d 'Ended at this time or later' -r
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -l ended-to -d 'Ended before this time' -r
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -l meta -d 'A member of its metadata; may be given again' -r
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -l key -d 'Its idempotency key' -r
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -l scope -d 'The scope of its idempotency key' -r
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -l error -d 'Text that its error contains' -r
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -l where -d 'A filter of the library, JSON, instead of the options above' -r
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -l reason -d 'Why, JSON; of runs that are named' -r
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -l roots -d 'Only topmost runs'
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -l cancel-asked -d 'Told to end, and has not yet'
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -l oldest -d 'The oldest first'
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -l dry-run -d 'Say what would be done, and do nothing'
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -s y -l yes -d 'Do not ask; needed where there is no terminal to ask on'
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand cancel" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand pause" -l state -d 'pending, running, waiting, paused, completed, failed or cancelled; several with commas' -r
complete -c swctl -n "__fish_swctl_using_subcommand pause" -l workflow -d 'Name of the workflow' -r
complete -c swctl -n "__fish_swctl_using_subcommand pause" -l queue -d 'Name of the queue' -r
complete -c swctl -n "__fish_swctl_using_subcommand pause" -l code-version -d 'Version of the code' -r
complete -c swctl -n "__fish_swctl_using_subcommand pause" -l worker -d 'Worker of the newest attempt' -r
complete -c swctl -n "__fish_swctl_using_subcommand pause" -l parent -d 'Submitted by this run' -r
complete -c swctl -n "__fish_swctl_using_subcommand pause" -l root -d 'In the tree of this topmost run' -r
complete -c swctl -n "__fish_swctl_using_subcommand pause" -l from -d 'Submitted at this time or later' -r
complete -c swctl -n "__fish_swctl_using_subcommand pause" -l to -d 'Submitted before this time' -r
complete -c swctl -n "__fish_swctl_using_subcommand pause" -l ended-from -d 'Ended at this time or later' -r
complete -c swctl -n "__fish_swctl_using_subcommand pause" -l ended-to -d 'Ended before this time' -r
complete -c swctl -n "__fish_swctl_using_subcommand pause" -l meta -d 'A member of its metadata; may be given again' -r
complete -c swctl -n "__fish_swctl_using_subcommand pause" -l key -d 'Its idempotency key' -r
complete -c swctl -n "__fish_swctl_using_subcommand pause" -l scope -d 'The scope of its idempotency key' -r
complete -c swctl -n "__fish_swctl_using_subcommand pause" -l error -d 'Text that its error contains' -r
complete -c swctl -n "__fish_swctl_using_subcommand pause" -l where -d 'A filter of the library, JSON, instead of the options above' -r
complete -c swctl -n "__fish_swctl_using_subcommand pause" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand pause" -l roots -d 'Only topmost runs'
complete -c swctl -n "__fish_swctl_using_subcommand pause" -l cancel-asked -d 'Told to end, and has not yet'
complete -c swctl -n "__fish_swctl_using_subcommand pause" -l oldest -d 'The oldest first'
complete -c swctl -n "__fish_swctl_using_subcommand pause" -l dry-run -d 'Say what would be done, and do nothing'
complete -c swctl -n "__fish_swctl_using_subcommand pause" -s y -l yes -d 'Do not ask; needed where there is no terminal to ask on'
complete -c swctl -n "__fish_swctl_using_subcommand pause" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand pause" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand pause" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand pause" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand resume" -l state -d 'pending, running, waiting, paused, completed, failed or cancelled; several with commas' -r
complete -c swctl -n "__fish_swctl_using_subcommand resume" -l workflow -d 'Name of the workflow' -r
complete -c swctl -n "__fish_swctl_using_subcommand resume" -l queue -d 'Name of the queue' -r
complete -c swctl -n "__fish_swctl_using_subcommand resume" -l code-version -d 'Version of the code' -r
complete -c swctl -n "__fish_swctl_using_subcommand resume" -l worker -d 'Worker of the newest attempt' -r
complete -c swctl -n "__fish_swctl_using_subcommand resume" -l parent -d 'Submitted by this run' -r
complete -c swctl -n "__fish_swctl_using_subcommand resume" -l root -d 'In the tree of this topmost run' -r
complete -c swctl -n "__fish_swctl_using_subcommand resume" -l from -d 'Submitted at this time or later' -r
complete -c swctl -n "__fish_swctl_using_subcommand resume" -l to -d 'Submitted before this time' -r
complete -c swctl -n "__fish_swctl_using_subcommand resume" -l ended-from -d 'Ended at this time or later' -r
complete -c swctl -n "__fish_swctl_using_subcommand resume" -l ended-to -d 'Ended before this time' -r
complete -c swctl -n "__fish_swctl_using_subcommand resume" -l meta -d 'A member of its metadata; may be given again' -r
complete -c swctl -n "__fish_swctl_using_subcommand resume" -l key -d 'Its idempotency key' -r
complete -c swctl -n "__fish_swctl_using_subcommand resume" -l scope -d 'The scope of its idempotency key' -r
complete -c swctl -n "__fish_swctl_using_subcommand resume" -l error -d 'Text that its error contains' -r
complete -c swctl -n "__fish_swctl_using_subcommand resume" -l where -d 'A filter of the library, JSON, instead of the options above' -r
complete -c swctl -n "__fish_swctl_using_subcommand resume" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand resume" -l roots -d 'Only topmost runs'
complete -c swctl -n "__fish_swctl_using_subcommand resume" -l cancel-asked -d 'Told to end, and has not yet'
complete -c swctl -n "__fish_swctl_using_subcommand resume" -l oldest -d 'The oldest first'
complete -c swctl -n "__fish_swctl_using_subcommand resume" -l dry-run -d 'Say what would be done, and do nothing'
complete -c swctl -n "__fish_swctl_using_subcommand resume" -s y -l yes -d 'Do not ask; needed where there is no terminal to ask on'
complete -c swctl -n "__fish_swctl_using_subcommand resume" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand resume" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand resume" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand resume" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand retry" -l state -d 'pending, running, waiting, paused, completed, failed or cancelled; several with commas' -r
complete -c swctl -n "__fish_swctl_using_subcommand retry" -l workflow -d 'Name of the workflow' -r
complete -c swctl -n "__fish_swctl_using_subcommand retry" -l queue -d 'Name of the queue' -r
complete -c swctl -n "__fish_swctl_using_subcommand retry" -l code-version -d 'Version of the code' -r
complete -c swctl -n "__fish_swctl_using_subcommand retry" -l worker -d 'Worker of the newest attempt' -r
complete -c swctl -n "__fish_swctl_using_subcommand retry" -l parent -d 'Submitted by this run' -r
complete -c swctl -n "__fish_swctl_using_subcommand retry" -l root -d 'In the tree of this topmost run' -r
complete -c swctl -n "__fish_swctl_using_subcommand retry" -l from -d 'Submitted at this time or later' -r
complete -c swctl -n "__fish_swctl_using_subcommand retry" -l to -d 'Submitted before this time' -r
complete -c swctl -n "__fish_swctl_using_subcommand retry" -l ended-from -d 'Ended at this time or later' -r
complete -c swctl -n "__fish_swctl_using_subcommand retry" -l ended-to -d 'Ended before this time' -r
complete -c swctl -n "__fish_swctl_using_subcommand retry" -l meta -d 'A member of its metadata; may be given again' -r
complete -c swctl -n "__fish_swctl_using_subcommand retry" -l key -d 'Its idempotency key' -r
complete -c swctl -n "__fish_swctl_using_subcommand retry" -l scope -d 'The scope of its idempotency key' -r
complete -c swctl -n "__fish_swctl_using_subcommand retry" -l error -d 'Text that its error contains' -r
complete -c swctl -n "__fish_swctl_using_subcommand retry" -l where -d 'A filter of the library, JSON, instead of the options above' -r
complete -c swctl -n "__fish_swctl_using_subcommand retry" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand retry" -l roots -d 'Only topmost runs'
complete -c swctl -n "__fish_swctl_using_subcommand retry" -l cancel-asked -d 'Told to end, and has not yet'
complete -c swctl -n "__fish_swctl_using_subcommand retry" -l oldest -d 'The oldest first'
complete -c swctl -n "__fish_swctl_using_subcommand retry" -l dry-run -d 'Say what would be done, and do nothing'
complete -c swctl -n "__fish_swctl_using_subcommand retry" -s y -l yes -d 'Do not ask; needed where there is no terminal to ask on'
complete -c swctl -n "__fish_swctl_using_subcommand retry" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand retry" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand retry" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand retry" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand fork" -l from -d 'Go anew from this step: its id, or a name for its first occurrence; else from the start' -r
complete -c swctl -n "__fish_swctl_using_subcommand fork" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand fork" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand fork" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand fork" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand fork" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand annotate" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand annotate" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand annotate" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand annotate" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand annotate" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand queue; and not __fish_seen_subcommand_from set pause resume help" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand queue; and not __fish_seen_subcommand_from set pause resume help" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand queue; and not __fish_seen_subcommand_from set pause resume help" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand queue; and not __fish_seen_subcommand_from set pause resume help" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand queue; and not __fish_seen_subcommand_from set pause resume help" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand queue; and not __fish_seen_subcommand_from set pause resume help" -f -a "set" -d 'Set limits; what is not named stays as it is'
complete -c swctl -n "__fish_swctl_using_subcommand queue; and not __fish_seen_subcommand_from set pause resume help" -f -a "pause" -d 'Claim nothing from it'
complete -c swctl -n "__fish_swctl_using_subcommand queue; and not __fish_seen_subcommand_from set pause resume help" -f -a "resume" -d 'Let it go on'
complete -c swctl -n "__fish_swctl_using_subcommand queue; and not __fish_seen_subcommand_from set pause resume help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c swctl -n "__fish_swctl_using_subcommand queue; and __fish_seen_subcommand_from set" -l concurrency -d 'Runs that may be held at once, or `none`' -r
complete -c swctl -n "__fish_swctl_using_subcommand queue; and __fish_seen_subcommand_from set" -l per-key -d 'The same of runs with one concurrency key, or `none`' -r
complete -c swctl -n "__fish_swctl_using_subcommand queue; and __fish_seen_subcommand_from set" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand queue; and __fish_seen_subcommand_from set" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand queue; and __fish_seen_subcommand_from set" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand queue; and __fish_seen_subcommand_from set" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand queue; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand queue; and __fish_seen_subcommand_from pause" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand queue; and __fish_seen_subcommand_from pause" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand queue; and __fish_seen_subcommand_from pause" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand queue; and __fish_seen_subcommand_from pause" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand queue; and __fish_seen_subcommand_from pause" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand queue; and __fish_seen_subcommand_from resume" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand queue; and __fish_seen_subcommand_from resume" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand queue; and __fish_seen_subcommand_from resume" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand queue; and __fish_seen_subcommand_from resume" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand queue; and __fish_seen_subcommand_from resume" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "set" -d 'Set limits; what is not named stays as it is'
complete -c swctl -n "__fish_swctl_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "pause" -d 'Claim nothing from it'
complete -c swctl -n "__fish_swctl_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "resume" -d 'Let it go on'
complete -c swctl -n "__fish_swctl_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c swctl -n "__fish_swctl_using_subcommand prune" -l state -d 'pending, running, waiting, paused, completed, failed or cancelled; several with commas' -r
complete -c swctl -n "__fish_swctl_using_subcommand prune" -l workflow -d 'Name of the workflow' -r
complete -c swctl -n "__fish_swctl_using_subcommand prune" -l queue -d 'Name of the queue' -r
complete -c swctl -n "__fish_swctl_using_subcommand prune" -l code-version -d 'Version of the code' -r
complete -c swctl -n "__fish_swctl_using_subcommand prune" -l worker -d 'Worker of the newest attempt' -r
complete -c swctl -n "__fish_swctl_using_subcommand prune" -l parent -d 'Submitted by this run' -r
complete -c swctl -n "__fish_swctl_using_subcommand prune" -l root -d 'In the tree of this topmost run' -r
complete -c swctl -n "__fish_swctl_using_subcommand prune" -l from -d 'Submitted at this time or later' -r
complete -c swctl -n "__fish_swctl_using_subcommand prune" -l to -d 'Submitted before this time' -r
complete -c swctl -n "__fish_swctl_using_subcommand prune" -l ended-from -d 'Ended at this time or later' -r
complete -c swctl -n "__fish_swctl_using_subcommand prune" -l ended-to -d 'Ended before this time' -r
complete -c swctl -n "__fish_swctl_using_subcommand prune" -l meta -d 'A member of its metadata; may be given again' -r
complete -c swctl -n "__fish_swctl_using_subcommand prune" -l key -d 'Its idempotency key' -r
complete -c swctl -n "__fish_swctl_using_subcommand prune" -l scope -d 'The scope of its idempotency key' -r
complete -c swctl -n "__fish_swctl_using_subcommand prune" -l error -d 'Text that its error contains' -r
complete -c swctl -n "__fish_swctl_using_subcommand prune" -l where -d 'A filter of the library, JSON, instead of the options above' -r
complete -c swctl -n "__fish_swctl_using_subcommand prune" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand prune" -l roots -d 'Only topmost runs'
complete -c swctl -n "__fish_swctl_using_subcommand prune" -l cancel-asked -d 'Told to end, and has not yet'
complete -c swctl -n "__fish_swctl_using_subcommand prune" -l oldest -d 'The oldest first'
complete -c swctl -n "__fish_swctl_using_subcommand prune" -l all -d 'Everything that has ended'
complete -c swctl -n "__fish_swctl_using_subcommand prune" -l dry-run -d 'Say what would be done, and do nothing'
complete -c swctl -n "__fish_swctl_using_subcommand prune" -s y -l yes -d 'Do not ask; needed where there is no terminal to ask on'
complete -c swctl -n "__fish_swctl_using_subcommand prune" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand prune" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand prune" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand prune" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand compact" -l pages -d 'Give back at most so many' -r
complete -c swctl -n "__fish_swctl_using_subcommand compact" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand compact" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand compact" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand compact" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand compact" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand import" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand import" -l new-ids -d 'Give the runs new ids'
complete -c swctl -n "__fish_swctl_using_subcommand import" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand import" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand import" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand import" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand move" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand move" -l abort -d 'Take back a move that is not decided'
complete -c swctl -n "__fish_swctl_using_subcommand move" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand move" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand move" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand move" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand retention; and not __fish_seen_subcommand_from set off help" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand retention; and not __fish_seen_subcommand_from set off help" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand retention; and not __fish_seen_subcommand_from set off help" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand retention; and not __fish_seen_subcommand_from set off help" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand retention; and not __fish_seen_subcommand_from set off help" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand retention; and not __fish_seen_subcommand_from set off help" -f -a "set" -d 'Set what is named; the rest stays as it is'
complete -c swctl -n "__fish_swctl_using_subcommand retention; and not __fish_seen_subcommand_from set off help" -f -a "off" -d 'End it: what has ended stays until it is pruned'
complete -c swctl -n "__fish_swctl_using_subcommand retention; and not __fish_seen_subcommand_from set off help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c swctl -n "__fish_swctl_using_subcommand retention; and __fish_seen_subcommand_from set" -l completed -d 'Completed runs stay so long, or `none`: for ever' -r
complete -c swctl -n "__fish_swctl_using_subcommand retention; and __fish_seen_subcommand_from set" -l failed -d 'Failed ones' -r
complete -c swctl -n "__fish_swctl_using_subcommand retention; and __fish_seen_subcommand_from set" -l cancelled -d 'Cancelled ones' -r
complete -c swctl -n "__fish_swctl_using_subcommand retention; and __fish_seen_subcommand_from set" -l keep-newest -d 'So many of the newest of each workflow stay, whatever their age, or `none`' -r
complete -c swctl -n "__fish_swctl_using_subcommand retention; and __fish_seen_subcommand_from set" -l workflow -d 'For the runs of this workflow alone' -r
complete -c swctl -n "__fish_swctl_using_subcommand retention; and __fish_seen_subcommand_from set" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand retention; and __fish_seen_subcommand_from set" -l dry-run -d 'Say what would be done, and do nothing'
complete -c swctl -n "__fish_swctl_using_subcommand retention; and __fish_seen_subcommand_from set" -s y -l yes -d 'Do not ask; needed where there is no terminal to ask on'
complete -c swctl -n "__fish_swctl_using_subcommand retention; and __fish_seen_subcommand_from set" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand retention; and __fish_seen_subcommand_from set" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand retention; and __fish_seen_subcommand_from set" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand retention; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand retention; and __fish_seen_subcommand_from off" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand retention; and __fish_seen_subcommand_from off" -l dry-run -d 'Say what would be done, and do nothing'
complete -c swctl -n "__fish_swctl_using_subcommand retention; and __fish_seen_subcommand_from off" -s y -l yes -d 'Do not ask; needed where there is no terminal to ask on'
complete -c swctl -n "__fish_swctl_using_subcommand retention; and __fish_seen_subcommand_from off" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand retention; and __fish_seen_subcommand_from off" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand retention; and __fish_seen_subcommand_from off" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand retention; and __fish_seen_subcommand_from off" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand retention; and __fish_seen_subcommand_from help" -f -a "set" -d 'Set what is named; the rest stays as it is'
complete -c swctl -n "__fish_swctl_using_subcommand retention; and __fish_seen_subcommand_from help" -f -a "off" -d 'End it: what has ended stays until it is pruned'
complete -c swctl -n "__fish_swctl_using_subcommand retention; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c swctl -n "__fish_swctl_using_subcommand migrate" -l to -d 'Stop at this version of the schema' -r
complete -c swctl -n "__fish_swctl_using_subcommand migrate" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand migrate" -l create -d 'Make the file where it is not there'
complete -c swctl -n "__fish_swctl_using_subcommand migrate" -l dry-run -d 'Say what would be done, and do nothing'
complete -c swctl -n "__fish_swctl_using_subcommand migrate" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand migrate" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand migrate" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand migrate" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand completions" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand completions" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand completions" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand completions" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand completions" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand man" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand man" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand man" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand man" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand man" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand version" -l busy -d 'Wait so long for a lock that others hold: 500ms, 10s' -r
complete -c swctl -n "__fish_swctl_using_subcommand version" -l json -d 'Give the library\'s document, byte for byte; an error too is a JSON object, on stderr'
complete -c swctl -n "__fish_swctl_using_subcommand version" -l jsonl -d 'Give one document a line'
complete -c swctl -n "__fish_swctl_using_subcommand version" -l table -d 'Give the terminal\'s table also into a pipe or a file'
complete -c swctl -n "__fish_swctl_using_subcommand version" -s h -l help -d 'Print help'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "ls" -d 'List runs, the newest first'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "show" -d 'Tell the whole story of a run: state, attempts, steps, what it waits for'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "why" -d 'Say why a run does not move, and what to do about it'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "tree" -d 'Draw the tree that a run belongs to'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "steps" -d 'List what a run recorded: steps, sleeps, awaits'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "events" -d 'List events of the log, or follow it'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "stats" -d 'Show counts of runs, queues that are full, how large it is'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "queues" -d 'List queues: limits, what stands in them, when something was last claimed'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "owners" -d 'List owners: the processes that have claimed, and whether they live'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "schedules" -d 'List schedules: when they fire next, what the last firing made'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "budget" -d 'Show the budget of a run\'s tree'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "top" -d 'Show the store live: queues, what moves, the oldest that wait, owners'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "serve" -d 'Show the store as a page in a browser, until it is interrupted'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "wait" -d 'Wait until a run has ended; 1 if it failed or was cancelled, 5 if it did not end in time'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "backup" -d 'Copy the file of a store to a new one while others write; one on a server is pg_dump\'s'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "check" -d 'Look whether the store is whole; 1 if it is not'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "export" -d 'Write a topmost run with all below it as one document'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "bundle" -d 'Collect what a report of a fault needs, as one JSON document'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "sql" -d 'Ask one SQL query of the store, in the words of its engine'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "submit" -d 'Submit a run, and print its id'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "signal" -d 'Send a signal to a run'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "cancel" -d 'Cancel runs with all below them'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "pause" -d 'Set runs aside until they are resumed'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "resume" -d 'Put paused runs back'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "retry" -d 'Open failed or cancelled runs again'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "fork" -d 'Make a new run that replays what a run did before a step, and print its id'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "annotate" -d 'Change the metadata of a run'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "queue" -d 'Set the limits of a queue, pause it, or let it go on'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "prune" -d 'Remove runs that have ended, whole trees at a time'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "compact" -d 'Give pages that hold nothing back to the file system'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "import" -d 'Bring a document of `export` into this store, where its runs go on'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "move" -d 'Move the whole store into another one, with its runs in flight: into a file, or a server'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "retention" -d 'Show the policy by which what has ended goes by itself, set it, or end it'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "migrate" -d 'Bring the schema of the file to this version\'s'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "completions" -d 'Write completions for a shell to standard output'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "man" -d 'Write the manual page to standard output'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "version" -d 'Say which version this is, and how its library was built'
complete -c swctl -n "__fish_swctl_using_subcommand help; and not __fish_seen_subcommand_from ls show why tree steps events stats queues owners schedules budget top serve wait backup check export bundle sql submit signal cancel pause resume retry fork annotate queue prune compact import move retention migrate completions man version help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c swctl -n "__fish_swctl_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "set" -d 'Set limits; what is not named stays as it is'
complete -c swctl -n "__fish_swctl_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "pause" -d 'Claim nothing from it'
complete -c swctl -n "__fish_swctl_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "resume" -d 'Let it go on'
complete -c swctl -n "__fish_swctl_using_subcommand help; and __fish_seen_subcommand_from retention" -f -a "set" -d 'Set what is named; the rest stays as it is'
complete -c swctl -n "__fish_swctl_using_subcommand help; and __fish_seen_subcommand_from retention" -f -a "off" -d 'End it: what has ended stays until it is pruned'

# The newest runs, each with its state and its workflow.
function __fish_swctl_runs
    set -l words (commandline -opc)
    swctl (string replace -r '^~/' "$HOME/" -- $words[2]) ls --limit 200 2>/dev/null | string replace -r '^(\S+)\t(\S+)\t([^\t]*)\t.*' '$1\t$2 $3'
end

complete -c swctl -n "__fish_swctl_using_subcommand show why tree steps events budget wait export bundle signal send cancel pause resume retry fork annotate" -k -f -a "(__fish_swctl_runs)"
