namespace Weft.Hosting;

/// <summary>Exit codes of the executable; the systemd units rely on 78 and 129.</summary>
public enum ExitStatus
{
    Ok = 0,

    /// <summary>The command or role ended because something it tried did not work; the reason is on standard error.</summary>
    Failed = 1,

    /// <summary>The command line itself was wrong.</summary>
    Usage = 2,

    /// <summary>The settings are wrong (EX_CONFIG): starting again would not help, so the units carry RestartPreventExitStatus=78.</summary>
    Configuration = 78,

    /// <summary>A setting changed that only a new process can take up; the units carry RestartForceExitStatus=129.</summary>
    RestartRequested = 129,
}
