# Completion of hubpod's commands in fish: ./run invoke --print-completion-script=fish | source
function __hubpod_complete
    set -l before (commandline --tokenize --cut-at-cursor --current-process)
    set -l last (commandline --current-token --cut-at-cursor)
    set -l program $before[1]
    set -l rest $before[2..-1]
    if string match --quiet --regex '(^|/)run$' -- $program
        if test (count $rest) -eq 0
            printf '%s\n' invoke nox
            return
        end
        contains -- $rest[1] invoke inv; or return
        set program $program $rest[1]
        set rest $rest[2..-1]
    end
    set -l prefix ''
    if string match --quiet -- '--*=*' $last
        set prefix (string replace --regex '=.*' '=' -- $last)
    end
    for word in ($program --complete -- $rest "$last" 2>/dev/null)
        printf '%s\n' "$prefix$word"
    end
end
for name in invoke inv hubpod run
    complete --command $name --arguments '(__hubpod_complete)'
end
