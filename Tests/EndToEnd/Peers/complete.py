"""What a shell offers at the end of a command line: each candidate on a line.

    complete.py bash|zsh|fish SCRIPT FOLDER LINE

SCRIPT is the completion script, FOLDER is for scratch files. The working directory, PATH and the other variables are
those of the caller. The shell runs on a terminal of its own, and gets the line and a Tab; what the completion offers is written to a
file.
"""

import os
import pty
import select
import signal
import sys
import time

BASH = """
PS1='ready> '
bind 'set enable-bracketed-paste off'
. '{script}'
recorded() {{
    _tapline "$@"
    printf '%s\\n' "${{COMPREPLY[@]}}" >'{scratch}/part'
    mv '{scratch}/part' '{scratch}/candidates'
}}
complete -o filenames -F recorded tapline
"""

ZSH = """
PROMPT='ready> '
unsetopt zle_bracketed_paste prompt_sp
autoload -U compinit
compinit -u -D
. '{script}'
zstyle ':completion:*' insert-tab false
compadd() {{
    # With these options it fills arrays for its caller, and adds nothing.
    if [[ ${{@[1,(i)(-|--)]}} == *-(O|A|D)\\ * ]]; then
        builtin compadd "$@"
        return
    fi
    local -a hits
    builtin compadd -O hits "$@"
    print -rl -- $hits >>'{scratch}/part'
    builtin compadd "$@"
}}
finished() {{
    : >>'{scratch}/part'
    mv '{scratch}/part' '{scratch}/candidates'
}}
comppostfuncs=(finished)
"""

# fish can be asked, but knows the cursor on a terminal only; the key is Tab here too.
FISH = """
function fish_prompt; echo -n 'ready> '; end
source '{script}'
function recorded
    complete -C (commandline -c) >'{scratch}/part'
    mv '{scratch}/part' '{scratch}/candidates'
end
bind \\t recorded
"""

LIMIT = 60


def candidates(shell, script, scratch, line):
    """The candidates of a shell on a terminal."""
    settings, text, words = {
        "bash": ("bashrc", BASH, ["bash", "--noprofile", "--rcfile", f"{scratch}/bashrc", "-i"]),
        "zsh": (".zshrc", ZSH, ["zsh", "-i"]),
        "fish": ("config", FISH, ["fish", "--no-config", "-i", "-C", f"source '{scratch}/config'"]),
    }[shell]
    with open(os.path.join(scratch, settings), "w") as file:
        file.write(text.format(script=script, scratch=scratch))
    os.environ.update(TERM="dumb" if shell != "fish" else "xterm", ZDOTDIR=scratch, HOME=scratch)
    found = os.path.join(scratch, "candidates")
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(words[0], words)
    seen, is_typed, end = b"", False, time.monotonic() + LIMIT
    try:
        while not os.path.exists(found):
            if time.monotonic() > end:
                sys.exit(f"{shell}: no candidates in time: {seen.decode(errors='replace')}")
            if select.select([terminal], [], [], 0.02)[0]:
                seen += os.read(terminal, 65536)
            if not is_typed and b"ready> " in seen:
                is_typed = True
                os.write(terminal, line.encode() + b"\t")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    with open(found) as file:
        return file.read().split("\n")


def main():
    shell, script, scratch, line = sys.argv[1:]
    for row in candidates(shell, script, scratch, line):
        # In fish a description follows a tab.
        name = row.split("\t")[0].strip()
        if name:
            print(name)


if __name__ == "__main__":
    main()
