using Google.Protobuf;
using Mvccpb;

namespace Weft.Cluster.Store.Mvcc;

/// <summary>
/// Every live key with its newest value, ordered: a copy-on-write B+ tree. A tree never changes, so readers on any thread walk it without a lock
/// while the write loop prepares the next one; what a failed commit leaves behind is simply dropped. Subtree sizes make counting logarithmic.
/// Cost: about 200 bytes beside key and value for each key; a batch copies each node it touches once.
/// </summary>
internal sealed class KeyTree
{
    private const int Fanout = 64;

    public static readonly KeyTree Empty = new(new Leaf(owner: null));

    private readonly Node _root;

    private KeyTree(Node root) => _root = root;

    public long Count => _root.Total;

    public Editor Edit() => new(this);

    public KeyValue? Find(ByteString key) => Find(_root, key);

    public long CountOf(in KeyRange range) => CountOf(_root, range);

    /// <summary>Appends the keys of the range in order, at most <paramref name="limit"/> of them (0: all).</summary>
    public void Collect(in KeyRange range, long limit, List<KeyValue> into) => Collect(_root, range, limit, into);

    private static KeyValue? Find(Node node, ByteString key)
    {
        while (node is Branch branch)
        {
            node = branch.Children[branch.ChildFor(key)];
        }

        Leaf leaf = (Leaf)node;
        int at = leaf.Search(key);
        return at >= 0 ? leaf.Items[at] : null;
    }

    private static long CountOf(Node root, in KeyRange range)
    {
        if (range.IsSingleKey)
        {
            return Find(root, range.Start) is null ? 0 : 1;
        }

        return range.IsEmpty ? 0 : (range.End is { } end ? Rank(root, end) : root.Total) - Rank(root, range.Start);
    }

    /// <summary>How many keys come before <paramref name="key"/>.</summary>
    private static long Rank(Node node, ByteString key)
    {
        long rank = 0;
        while (node is Branch branch)
        {
            int child = branch.ChildFor(key);
            for (int i = 0; i < child; i++)
            {
                rank += branch.Children[i].Total;
            }

            node = branch.Children[child];
        }

        int at = ((Leaf)node).Search(key);
        return rank + (at >= 0 ? at : ~at);
    }

    private static void Collect(Node root, in KeyRange range, long limit, List<KeyValue> into)
    {
        if (range.IsSingleKey)
        {
            if (Find(root, range.Start) is { } found)
            {
                into.Add(found);
            }
        }
        else if (!range.IsEmpty)
        {
            Walk(root, range.Start, range.End, limit > 0 ? into.Count + limit : long.MaxValue, into);
        }
    }

    /// <summary>False when the end of the range or the limit is reached.</summary>
    private static bool Walk(Node node, ByteString? start, ByteString? end, long full, List<KeyValue> into)
    {
        if (node is Branch branch)
        {
            for (int i = start is null ? 0 : branch.ChildFor(start); i < branch.Count; i++, start = null)
            {
                if (!Walk(branch.Children[i], start, end, full, into))
                {
                    return false;
                }
            }

            return true;
        }

        Leaf leaf = (Leaf)node;
        int from = start is null ? 0 : leaf.Search(start);
        for (int i = from < 0 ? ~from : from; i < leaf.Count; i++)
        {
            if (into.Count >= full || (end is not null && KeyRange.Compare(leaf.Items[i].Key, end) >= 0))
            {
                return false;
            }

            into.Add(leaf.Items[i]);
        }

        return true;
    }

    /// <summary>
    /// A tree being changed; owned by the write loop. Nodes it made itself are changed in place, all others are copied first.
    /// </summary>
    public sealed class Editor
    {
        private object _owner = new();
        private Node _root;

        internal Editor(KeyTree tree) => _root = tree._root;

        public KeyValue? Find(ByteString key) => KeyTree.Find(_root, key);

        public long CountOf(in KeyRange range) => KeyTree.CountOf(_root, range);

        public void Collect(in KeyRange range, long limit, List<KeyValue> into) => KeyTree.Collect(_root, range, limit, into);

        public void Put(KeyValue item)
        {
            _root = _root.Own(_owner);
            if (Put(_root, item) is { } sibling)
            {
                Branch root = new(_owner);
                root.Insert(0, ByteString.Empty, _root);
                root.Insert(1, sibling.FirstKey, sibling.Node);
                root.Total = _root.Total + sibling.Node.Total;
                _root = root;
            }
        }

        public void Remove(ByteString key)
        {
            if (Find(key) is null)
            {
                return;
            }

            _root = _root.Own(_owner);
            Remove(_root, key);
            while (_root is Branch { Count: 1 } single)
            {
                _root = single.Children[0];
            }

            if (_root.Count == 0)
            {
                _root = new Leaf(_owner);
            }
        }

        /// <summary>The tree as it is now; later changes do not touch it.</summary>
        public KeyTree Freeze()
        {
            _owner = new object();
            return new KeyTree(_root);
        }

        /// <summary>Back to an earlier tree: what was changed since is forgotten.</summary>
        public void Reset(KeyTree tree) => (_owner, _root) = (new object(), tree._root);

        private Split? Put(Node node, KeyValue item)
        {
            if (node is Leaf leaf)
            {
                return leaf.Put(item, _owner);
            }

            Branch branch = (Branch)node;
            int at = branch.ChildFor(item.Key);
            Node child = branch.Children[at] = branch.Children[at].Own(_owner);
            long before = child.Total;
            Split? sibling = Put(child, item);
            branch.Total += child.Total - before + (sibling?.Node.Total ?? 0);
            if (sibling is not { } split)
            {
                return null;
            }

            branch.Insert(at + 1, split.FirstKey, split.Node);
            return branch.Count > Fanout ? branch.SplitInHalf(_owner) : null;
        }

        private void Remove(Node node, ByteString key)
        {
            node.Total--;
            if (node is Leaf leaf)
            {
                leaf.RemoveAt(leaf.Search(key));
                return;
            }

            Branch branch = (Branch)node;
            int at = branch.ChildFor(key);
            Node child = branch.Children[at] = branch.Children[at].Own(_owner);
            Remove(child, key);
            if (child.Count == 0)
            {
                branch.RemoveAt(at);
            }
            else if (child.Count < Fanout / 4 && branch.Count > 1)
            {
                int left = at > 0 ? at - 1 : at;
                if (branch.Children[left].Count + branch.Children[left + 1].Count <= Fanout / 2)
                {
                    Node target = branch.Children[left] = branch.Children[left].Own(_owner);
                    target.Append(branch.Children[left + 1], branch.FirstKeys[left + 1]);
                    branch.RemoveAt(left + 1);
                }
            }
        }
    }

    private readonly record struct Split(ByteString FirstKey, Node Node);

    private abstract class Node(object? owner)
    {
        /// <summary>Entries in this node.</summary>
        public int Count;

        /// <summary>Keys in this node and everything below.</summary>
        public long Total;

        protected object? Owner { get; } = owner;

        public abstract Node Own(object owner);

        /// <summary>Takes over everything of its right neighbour, whose keys begin at <paramref name="firstKey"/>.</summary>
        public abstract void Append(Node right, ByteString firstKey);
    }

    private sealed class Leaf(object? owner) : Node(owner)
    {
        public readonly KeyValue[] Items = new KeyValue[Fanout];

        /// <summary>The index of the key, or the complement of where it belongs.</summary>
        public int Search(ByteString key)
        {
            (int low, int high) = (0, Count - 1);
            while (low <= high)
            {
                int middle = (low + high) >>> 1;
                int order = KeyRange.Compare(Items[middle].Key, key);
                if (order == 0)
                {
                    return middle;
                }

                (low, high) = order < 0 ? (middle + 1, high) : (low, middle - 1);
            }

            return ~low;
        }

        public Split? Put(KeyValue item, object owner)
        {
            int at = Search(item.Key);
            if (at >= 0)
            {
                Items[at] = item;
                return null;
            }

            at = ~at;
            if (Count < Fanout)
            {
                Insert(at, item);
                return null;
            }

            // Keys that arrive in order (a load, a counter in the name) fill nodes to the brim instead of leaving them half empty.
            int half = at == Count ? Count : Count / 2;
            Leaf right = new(owner) { Count = Count - half, Total = Count - half };
            Array.Copy(Items, half, right.Items, 0, right.Count);
            Array.Clear(Items, half, right.Count);
            Total = Count = half;
            if (at >= half)
            {
                right.Insert(at - half, item);
            }
            else
            {
                Insert(at, item);
            }

            return new Split(right.Items[0].Key, right);
        }

        public void RemoveAt(int at)
        {
            Count--;
            Array.Copy(Items, at + 1, Items, at, Count - at);
            Items[Count] = null!;
        }

        public override Node Own(object owner)
        {
            if (ReferenceEquals(Owner, owner))
            {
                return this;
            }

            Leaf copy = new(owner) { Count = Count, Total = Total };
            Array.Copy(Items, copy.Items, Count);
            return copy;
        }

        public override void Append(Node right, ByteString firstKey)
        {
            Array.Copy(((Leaf)right).Items, 0, Items, Count, right.Count);
            Count += right.Count;
            Total += right.Total;
        }

        private void Insert(int at, KeyValue item)
        {
            Array.Copy(Items, at, Items, at + 1, Count - at);
            Items[at] = item;
            Total = ++Count;
        }
    }

    private sealed class Branch(object? owner) : Node(owner)
    {
        // One place more than the fan-out: a branch is split after the insertion that overfills it.
        public readonly Node[] Children = new Node[Fanout + 1];

        /// <summary>A lower bound of each child's keys; the first is never looked at.</summary>
        public readonly ByteString[] FirstKeys = new ByteString[Fanout + 1];

        public int ChildFor(ByteString key)
        {
            (int low, int high) = (1, Count - 1);
            while (low <= high)
            {
                int middle = (low + high) >>> 1;
                (low, high) = KeyRange.Compare(FirstKeys[middle], key) <= 0 ? (middle + 1, high) : (low, middle - 1);
            }

            return low - 1;
        }

        public void Insert(int at, ByteString firstKey, Node child)
        {
            Array.Copy(Children, at, Children, at + 1, Count - at);
            Array.Copy(FirstKeys, at, FirstKeys, at + 1, Count - at);
            (Children[at], FirstKeys[at]) = (child, firstKey);
            Count++;
        }

        public void RemoveAt(int at)
        {
            Count--;
            Array.Copy(Children, at + 1, Children, at, Count - at);
            Array.Copy(FirstKeys, at + 1, FirstKeys, at, Count - at);
            (Children[Count], FirstKeys[Count]) = (null!, null!);
        }

        public Split SplitInHalf(object owner)
        {
            int half = Count / 2;
            ByteString firstKey = FirstKeys[half];
            Branch right = new(owner) { Count = Count - half };
            Array.Copy(Children, half, right.Children, 0, right.Count);
            Array.Copy(FirstKeys, half, right.FirstKeys, 0, right.Count);
            Array.Clear(Children, half, right.Count);
            Array.Clear(FirstKeys, half, right.Count);
            Count = half;
            for (int i = 0; i < right.Count; i++)
            {
                right.Total += right.Children[i].Total;
            }

            Total -= right.Total;
            return new Split(firstKey, right);
        }

        public override Node Own(object owner)
        {
            if (ReferenceEquals(Owner, owner))
            {
                return this;
            }

            Branch copy = new(owner) { Count = Count, Total = Total };
            Array.Copy(Children, copy.Children, Count);
            Array.Copy(FirstKeys, copy.FirstKeys, Count);
            return copy;
        }

        public override void Append(Node right, ByteString firstKey)
        {
            Branch other = (Branch)right;
            Array.Copy(other.Children, 0, Children, Count, other.Count);
            Array.Copy(other.FirstKeys, 0, FirstKeys, Count, other.Count);
            FirstKeys[Count] = firstKey;
            Count += other.Count;
            Total += other.Total;
        }
    }
}
