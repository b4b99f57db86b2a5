using Google.Protobuf;
using Mvccpb;
using Weft.Cluster.Store.Mvcc;

namespace Weft.Cluster.Tests.Store;

public class KeyTreeTests
{
    private static readonly Gen<ByteString> Key = Gen.Byte[0, 3].Array[1, 5].Select(ByteString.CopyFrom);

    private static readonly Gen<(bool Remove, ByteString Key)> Step = Gen.Select(Gen.Bool, Key);

    [Fact]
    public void AnyEdits_LeaveTheSameKeysAsASortedDictionary()
    {
        Gen.Select(Step.Array[0, 2000], Key, Key, Gen.Int[0, 40]).Sample((steps, from, to, limit) =>
        {
            SortedDictionary<ByteString, long> model = new(Comparer<ByteString>.Create(KeyRange.Compare));
            KeyTree.Editor editor = KeyTree.Empty.Edit();

            for (int i = 0; i < steps.Length; i++)
            {
                if (steps[i].Remove)
                {
                    model.Remove(steps[i].Key);
                    editor.Remove(steps[i].Key);
                }
                else
                {
                    model[steps[i].Key] = i;
                    editor.Put(new KeyValue { Key = steps[i].Key, ModRevision = i });
                }
            }

            KeyTree tree = editor.Freeze();
            KeyRange range = KeyRange.Of(from, to);
            Assert.Equal(model.Select(p => (p.Key, p.Value)), Walk(tree, KeyRange.All, 0));
            Assert.Equal(model.Count, tree.Count);
            Assert.Equal(model.Where(p => range.Contains(p.Key)).Take(limit == 0 ? int.MaxValue : limit).Select(p => (p.Key, p.Value)), Walk(tree, range, limit));
            Assert.Equal(model.Count(p => range.Contains(p.Key)), tree.CountOf(range));
            Assert.All(model, p => Assert.Equal(p.Value, tree.Find(p.Key)!.ModRevision));
        });
    }

    [Fact]
    public void FrozenTree_StaysAsItWas_WhateverIsEditedLater()
    {
        KeyTree.Editor editor = KeyTree.Empty.Edit();
        for (int i = 0; i < 5000; i++)
        {
            editor.Put(new KeyValue { Key = ByteString.CopyFromUtf8($"{i:d5}"), ModRevision = i });
        }

        KeyTree frozen = editor.Freeze();
        for (int i = 0; i < 5000; i += 2)
        {
            editor.Remove(ByteString.CopyFromUtf8($"{i:d5}"));
            editor.Put(new KeyValue { Key = ByteString.CopyFromUtf8($"{i:d5}x"), ModRevision = -1 });
        }

        Assert.Equal(Enumerable.Range(0, 5000).Select(i => (ByteString.CopyFromUtf8($"{i:d5}"), (long)i)), Walk(frozen, KeyRange.All, 0));
        Assert.Equal(5000, editor.Freeze().Count);
    }

    [Fact]
    public void RemovingEverything_LeavesAnEmptyTreeThatWorks()
    {
        KeyTree.Editor editor = KeyTree.Empty.Edit();
        ByteString[] keys = [.. Enumerable.Range(0, 20_000).Select(i => ByteString.CopyFromUtf8($"{i * 7919 % 20_000:d5}"))];
        foreach (ByteString key in keys)
        {
            editor.Put(new KeyValue { Key = key });
        }

        foreach (ByteString key in keys)
        {
            editor.Remove(key);
        }

        editor.Put(new KeyValue { Key = keys[0] });
        Assert.Equal(1, editor.Freeze().Count);
    }

    private static IEnumerable<(ByteString Key, long Revision)> Walk(KeyTree tree, KeyRange range, long limit)
    {
        List<KeyValue> pairs = [];
        tree.Collect(range, limit, pairs);
        return pairs.Select(kv => (kv.Key, kv.ModRevision));
    }
}
