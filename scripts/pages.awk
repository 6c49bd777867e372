# Takes the blocks of a page apart, for scripts/pages.sh, which says how a page is written.
# Variables: page, room (the folder to write to), want (extensions of a language, or "" to check the
# page alone), frames (the folder of the frames). Prints, separated by tabs, a line for each block:
#   program <id> <extension>      to be compiled and run; <id>.want is what it prints, if the page says
#   file <id> <extension> <name>  to be compiled if it has to be, under this name in the page's folder
#   console <id>                  commands to be run in the page's folder, with what they print
#   left <id> <reason>            not run
#   fault <id> <sentence>         the page is not as it must be
BEGIN {
    slug = page
    sub(/\.md$/, "", slug)
    gsub(/[^A-Za-z0-9]+/, "_", slug)
    count = split("py ts js go c cpp", known, " ")
    for (i = 1; i <= count; i++) is_known[known[i]] = 1
    alias["python"] = "py"
    count = split(want, wanted, " ")
    for (i = 1; i <= count; i++) is_wanted[wanted[i]] = 1
}

function say(kind, rest) { print kind "\t" slug "_" began "\t" rest }

function fault(sentence) { say("fault", sentence " (" page ":" began ")") }

# Writes the block into its frame, below the indentation of the line that says HERE.
function framed(name, to,    path, line, got, is_there, indent, lines, n, i) {
    path = frames "/" name "." extension
    while ((got = (getline line < path)) > 0) {
        if (line ~ /^[ \t]*(#|\/\/|\/\*) HERE/) {
            is_there = 1
            indent = line
            sub(/[^ \t].*/, "", indent)
            n = split(text, lines, "\n")
            for (i = 1; i < n; i++) print (lines[i] == "" ? "" : indent lines[i]) > to
        } else print line > to
    }
    close(path)
    close(to)
    if (got < 0) fault("there is no frame " path)
    else if (!is_there) fault("no line of " path " says HERE")
}

function program(name,    to) {
    to = room "/" slug "_" began "." extension
    if (name != "") framed(name, to)
    else { printf "%s", text > to; close(to) }
}

function block(    words) {
    split(note, words, ": ")
    reason = substr(note, length(words[1]) + 3)
    last_program = ""
    if (note != "" && (reason == "" || words[1] !~ /^(not run|frame|file)$/)) fault("what is \"" note "\"?")
    else if (words[1] == "not run") say("left", reason)
    else if (extension in is_known) {
        if (words[1] == "file") last_file = extension
        else last_program = extension
        if (!(extension in is_wanted)) { if (want == "") say("program", extension); return }
        program(words[1] == "frame" ? reason : "")
        if (words[1] == "file") say("file", extension "\t" reason)
        else { say("program", extension); wants = room "/" slug "_" began ".want" }
    } else if (extension == "console") {
        if (last_file == "") fault("no file comes before what is to be run")
        else if (want == "") say("console", "")
        else if (last_file in is_wanted) { program(""); say("console", "") }
    } else fault("neither run nor said why not")
}

# A text after a program is what that prints.
function printed() {
    if (!(before in is_wanted)) return
    printf "%s", text > wants
    close(wants)
}

/^<!-- .* -->$/ && !inside { note = substr($0, 6, length($0) - 9); next }
/^[ \t]*```/ && !inside {
    inside = 1
    began = FNR
    extension = $0
    gsub(/[ \t`]/, "", extension)
    if (extension in alias) extension = alias[extension]
    text = ""
    next
}
/^[ \t]*```[ \t]*$/ && inside {
    inside = 0
    before = last_program
    if (extension == "text" && before != "" && note == "") printed()
    else block()
    note = ""
    next
}
inside { text = text $0 "\n"; next }
$0 != "" { if (note != "") { began = FNR; note = "" } }
