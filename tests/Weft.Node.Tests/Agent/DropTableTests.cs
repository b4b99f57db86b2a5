using System.Text.Json.Nodes;
using Weft.Linux.Netfilter;
using Weft.Node.Agent;
using Weft.Primitives.Net;

namespace Weft.Node.Tests.Agent;

public sealed class DropTableTests
{
    private static readonly PacketFlow s_flow = new(IpAddress.Parse("10.0.0.1"), IpAddress.Parse("10.0.0.2"), 6, 50000, 80);

    [Theory]
    [InlineData("DPI88|gnp/deny-all", true, "rule 88 of gnp/deny-all")]
    [InlineData("DPE0|np/demo/shut", false, "rule 0 of np/demo/shut")]
    [InlineData("DRI1|kns.demo", true, "rule 1 of profile kns.demo")]
    [InlineData("DPI|default", true, "end of tier default")]
    [InlineData("DRE", false, "no profile allows it")]
    public void Reason_IsWhatTheRuleSays(string prefix, bool isIngress, string by)
    {
        Assert.True(DropReason.TryParse(prefix, out DropReason reason));
        Assert.Equal(new DropReason(isIngress, by), reason);
    }

    [Theory]
    [InlineData("API1|gnp/x")]
    [InlineData("PPI1|gnp/x")]
    [InlineData("DXI1|gnp/x")]
    [InlineData("kube")]
    [InlineData("")]
    public void WhatWasNotDenied_IsLeftOut(string prefix) => Assert.False(DropReason.TryParse(prefix, out _));

    [Fact]
    public void OneClientThatTriesAgain_IsOneLine_MostPacketsFirst()
    {
        DropTable table = new(address => address == "10.0.0.2" ? "demo/backend" : null);
        table.Add(new LoggedPacket("DPI|default", s_flow with { DestinationPort = 81 }, 0, 0));
        table.Add(new LoggedPacket("DPI|default", s_flow, 0, 0));
        table.Add(new LoggedPacket("DPI|default", s_flow with { SourcePort = 50001 }, 0, 0));

        IReadOnlyList<JsonObject> rows = table.Take();

        Assert.Equal([2, 1], rows.Select(r => (long)r["packets"]!));
        Assert.Equal("      2  ingress  10.0.0.1 -> 10.0.0.2 (demo/backend)  tcp 80  end of tier default", DropTable.Line(rows[0]));
        Assert.Empty(table.Take());
    }

    [Fact]
    public void MoreFlowsThanAnybodyReads_AreCounted()
    {
        DropTable table = new(static _ => null);
        for (ushort port = 1; port <= 1500; port++)
        {
            table.Add(new LoggedPacket("DRI", s_flow with { DestinationPort = port }, 0, 0));
        }

        Assert.Equal(500, table.NotShown);
        Assert.Equal(1000, table.Take().Count);
    }
}
