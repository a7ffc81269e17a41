#!/bin/sh
# A `systemd-creds` of the tests' own: TPM is what `has-tpm2` exits with, FAILS what cannot seal (tpm, all). What it seals
# is base64 behind a word.
case " $* " in
*" has-tpm2 "*) exit $TPM ;;
*" --name=root.key "*) ;;
*) echo "no name" >&2; exit 1 ;;
esac
case "$1:$*" in
encrypt:*host+tpm2*)
    case $FAILS in
    tpm | all) echo "no answer from the TPM." >&2; exit 1 ;;
    esac
    echo tpm
    base64
    ;;
encrypt:*)
    [ "$FAILS" != all ] || { echo "no host key." >&2; exit 1; }
    echo host
    base64
    ;;
decrypt:*) tail -n +2 | base64 -d ;;
esac
