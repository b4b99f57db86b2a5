namespace Weft.Lab.Tests;

public sealed class ConnectivityMatrixTests
{
    private static readonly IReadOnlyList<LabPod> s_pods = Topology.Plan(new LabOptions()).Pods;

    [Fact]
    public void Differences_NameThePairsThatChanged()
    {
        ConnectivityMatrix open = ConnectivityMatrix.Expect(s_pods, (_, _) => Reach.Both);
        ConnectivityMatrix closed = ConnectivityMatrix.Expect(s_pods, (_, to) => to.App == "backend" ? Reach.Tcp : Reach.Both);

        (int From, int To)[] changed = [.. closed.Differences(open)];

        Assert.Equal(3 * 5, changed.Length);
        Assert.All(changed, c => Assert.Equal("backend", s_pods[c.To].App));
    }

    [Fact]
    public void Render_MarksChangedCellsAndCountsByDistance()
    {
        ConnectivityMatrix open = ConnectivityMatrix.Expect(s_pods, (_, _) => Reach.Both);
        ConnectivityMatrix closed = ConnectivityMatrix.Expect(s_pods, (from, to) => from.Name == "frontend-1" && to.Name == "backend-3" ? Reach.None : Reach.Both);

        string text = closed.Render(new LabConsole(TextWriter.Null, colour: false, TimeProvider.System), open);

        Assert.Contains("..*", text, StringComparison.Ordinal);
        Assert.Contains("same node: TCP 6 of 6, UDP 6 of 6; same rack: TCP 8 of 8, UDP 8 of 8; across racks: TCP 15 of 16, UDP 15 of 16", text, StringComparison.Ordinal);
    }
}
