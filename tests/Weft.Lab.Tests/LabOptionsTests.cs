namespace Weft.Lab.Tests;

public sealed class LabOptionsTests
{
    [Fact]
    public void NoArguments_GiveThreeNodesTwoPodsTwoSwitches()
    {
        string? problem = LabOptions.Parse([], out LabOptions options);

        Assert.Null(problem);
        Assert.Equal((3, 2, 2, false), (options.Nodes, options.Pods, options.Switches, options.Keep));
    }

    [Fact]
    public void Flags_AreReadWithBlankOrEqualsSign()
    {
        string? problem = LabOptions.Parse(["--nodes", "20", "--pods=10", "--switches", "4", "--keep", "--ipv6", "--overlay", "cross-subnet", "--switch=bird", "--store", "etcd"], out LabOptions options);

        Assert.Null(problem);
        Assert.Equal(new LabOptions { Nodes = 20, Pods = 10, Switches = 4, Keep = true, IPv6 = true, Overlay = OverlayKind.CrossSubnet, Switch = SwitchKind.Bird, Store = StoreKind.Etcd }, options);
    }

    [Fact]
    public void OneNode_NeedsOnlyOneSwitch()
    {
        string? problem = LabOptions.Parse(["--nodes", "1"], out LabOptions options);

        Assert.Null(problem);
        Assert.Equal(1, options.Switches);
    }

    [Theory]
    [InlineData("--nodes", "0")]
    [InlineData("--nodes", "101")]
    [InlineData("--nodes", "many")]
    [InlineData("--pods", "-1")]
    [InlineData("--switches", "4")]
    [InlineData("--switch", "frr")]
    [InlineData("--overlay", "geneve")]
    [InlineData("--frobnicate", "1")]
    public void BadValue_IsNamedInTheProblem(string flag, string value)
    {
        string? problem = LabOptions.Parse([flag, value], out _);

        Assert.Contains(flag, problem, StringComparison.Ordinal);
    }
}
