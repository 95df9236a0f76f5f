# Completion of hubpod's commands in zsh: eval "$(./run invoke --print-completion-script=zsh)"
_hubpod_complete() {
  local -a program rest found
  program=("$words[1]")
  rest=("${(@)words[2,CURRENT]}")
  if [[ ${words[1]:t} == run ]]; then
    if (( CURRENT == 2 )); then
      compadd invoke nox
      return
    fi
    [[ $words[2] == (invoke|inv) ]] || { _files; return }
    program+=("$words[2]")
    rest=("${(@)words[3,CURRENT]}")
  fi
  [[ $rest[-1] == --*=* ]] && compset -P '*='
  found=("${(@f)$("${(@)program}" --complete -- "${(@)rest}" 2>/dev/null)}")
  [[ -n $found[1] ]] && compadd -a found || _files
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _hubpod_complete invoke inv hubpod run
