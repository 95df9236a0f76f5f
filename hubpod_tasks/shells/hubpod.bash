# Completion of hubpod's commands in bash: eval "$(./run invoke --print-completion-script=bash)"
_hubpod_complete() {
  local IFS=$'\n' program words
  program=("${COMP_WORDS[0]}")
  words=("${COMP_WORDS[@]:1:COMP_CWORD}")
  if [ "${program[0]##*/}" = run ]; then
    if [ "$COMP_CWORD" -eq 1 ]; then
      COMPREPLY=($(compgen -W $'invoke\nnox' -- "$2"))
      return
    fi
    case ${COMP_WORDS[1]} in invoke | inv) ;; *) return ;; esac
    program+=("${COMP_WORDS[1]}")
    words=("${words[@]:1}")
  fi
  COMPREPLY=($("${program[@]}" --complete -- "${words[@]}" 2>/dev/null))
}
complete -o default -F _hubpod_complete invoke inv hubpod run
