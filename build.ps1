# The verbs of build.sh for PowerShell users. All logic is in build.sh: this only forwards.
param(
    [Parameter(Position = 0)] [string] $Verb = 'help',
    [Parameter(ValueFromRemainingArguments = $true)] [string[]] $Arguments = @()
)

Set-StrictMode -Version Latest
$script = [System.IO.Path]::Combine($PSScriptRoot, 'build.sh')
& bash $script $Verb @Arguments
exit $LASTEXITCODE
