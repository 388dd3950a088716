# A process that has funs, and what Elixir makes of each.

defmodule ShopWeb.Funs do
  def start(path) do
    parent = self()
    spawn_link(fn -> hold(path, parent) end)
    receive do: (:held -> :ok)
  end

  def été?(n), do: [fn x -> x + n end, fn -> n end, fn x, y -> {fn -> x end, y} end]

  def a <~> b, do: fn -> {a, b} end

  def unquote(:"a b")(), do: fn -> 1 end

  def nested(), do: (fn -> fn -> 3 end end).()

  defp own(), do: :own

  defp hold(path, parent) do
    [_, _, third] = funs = été?(1)
    funs = funs ++ [elem(third.(1, 2), 0), 1 <~> 2, apply(__MODULE__, :"a b", []), nested(), &own/0, &Enum.map/2]
    Process.put(:funs, funs)
    Process.register(self(), :funs)
    File.write!(path, inspect(funs, limit: :infinity, width: :infinity))
    send(parent, :held)
    Process.sleep(:infinity)
  end
end
