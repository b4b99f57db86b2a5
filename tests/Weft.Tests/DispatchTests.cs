namespace Weft.Tests;

/// <summary>The table of invocations: argv[0], argv[1] and CNI_COMMAND decide alone.</summary>
public sealed class DispatchTests
{
    private static readonly HashSet<string> s_roles = ["agent", "router", "store"];
    private static readonly HashSet<string> s_commands = ["get", "apply", "lab"];

    [Theory]
    [InlineData("weft", null, null, Invocation.Help, "help")]
    [InlineData("weft", null, "", Invocation.Help, "help")]
    [InlineData("weft", null, "ADD", Invocation.Cni, "cni")]
    [InlineData("/opt/cni/bin/weft", null, "VERSION", Invocation.Cni, "cni")]
    [InlineData("/opt/cni/bin/calico", null, "DEL", Invocation.Cni, "cni")]
    [InlineData("/opt/cni/bin/weft-ipam", null, null, Invocation.Cni, "cni")]
    [InlineData("weft", "agent", null, Invocation.Role, "agent")]
    [InlineData("weft", "agent", "ADD", Invocation.Role, "agent")]
    [InlineData("weft", "get", null, Invocation.Command, "get")]
    [InlineData("weft", "lab", "ADD", Invocation.Command, "lab")]
    [InlineData("weft", "version", null, Invocation.Version, "version")]
    [InlineData("weft", "--version", null, Invocation.Version, "version")]
    [InlineData("weft", "-h", null, Invocation.Help, "help")]
    [InlineData("weft", "--help", null, Invocation.Help, "help")]
    [InlineData("weft", "frobnicate", null, Invocation.Unknown, "frobnicate")]
    [InlineData("weft", "", null, Invocation.Unknown, "")]
    public void Invocation_IsChosenFromThreeThings(string argv0, string? first, string? cniCommand, Invocation expected, string name)
    {
        DispatchChoice choice = Dispatch.Choose(argv0, first, cniCommand, s_roles, s_commands);

        Assert.Equal(new DispatchChoice(expected, name), choice);
    }
}
