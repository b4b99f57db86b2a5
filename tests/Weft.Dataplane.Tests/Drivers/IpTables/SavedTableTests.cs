using System.Text;
using Weft.Dataplane.Drivers.IpTables;

namespace Weft.Dataplane.Tests.Drivers.IpTables;

public class SavedTableTests
{
    private static readonly RuleTableSettings Filter = new("filter");

    [Fact]
    public void Hashes_AreReadFromComments_OthersAreForeign()
    {
        SavedTable table = Parse("""
            *filter
            :FORWARD ACCEPT [0:0]
            :cali-FORWARD - [0:0]
            -A FORWARD -m comment --comment "cali:wUHhoiAYhphO9Mso" -j cali-FORWARD
            -A FORWARD -m comment --comment "cali:abcdefghij1234-_" -j ACCEPT
            -A FORWARD --src '1.2.3.4'
            -A FORWARD -m comment --comment "cali:1234567890093213" -j ACCEPT
            COMMIT
            """)!;

        Assert.Equal(["wUHhoiAYhphO9Mso", "abcdefghij1234-_", "", "1234567890093213"], table.Chains["FORWARD"].Select(static r => r.Hash));
        Assert.Empty(table.Chains["cali-FORWARD"]);
    }

    [Fact]
    public void JumpToAnOldChain_IsOursFromBeforeThereWereHashes()
    {
        SavedTable table = Parse("*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j felix-FORWARD\n-A FORWARD -j DOCKER\nCOMMIT\n")!;

        Assert.Equal([SavedTable.OldRule, ""], table.Chains["FORWARD"].Select(static r => r.Hash));
    }

    [Fact]
    public void HashBehindAnotherComment_IsFound()
    {
        SavedTable table = Parse("*filter\n:X - [0:0]\n-A X -m comment --comment \"note\" -m comment --comment \"cali:abc\" -j ACCEPT\nCOMMIT\n")!;

        Assert.Equal("abc", Assert.Single(table.Chains["X"]).Hash);
    }

    [Fact]
    public void TableOfAnotherTool_IsRefused()
    {
        Assert.Null(Parse("*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n# Table `filter' is incompatible, use 'nft' tool.\n"));
    }

    [Fact]
    public void OutputCutShort_IsRefused() => Assert.Null(Parse("*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j ACC"));

    [Fact]
    public void NoOutput_IsAnEmptyTable() => Assert.Empty(Parse(string.Empty)!.Chains);

    private static SavedTable? Parse(string text) => SavedTable.Parse(Encoding.UTF8.GetBytes(text), Filter);
}
