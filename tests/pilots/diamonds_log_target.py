# Log target, answers turned back by exp; ordinal maps; rows of no height dropped by their index.

# %% [markdown]
# # Diamond prices

# %%
import pandas as pd
import numpy as np
from matplotlib import pyplot as plt
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from sklearn.model_selection import train_test_split

plt.style.use('ggplot')

# %%
df = pd.read_csv('diamonds.csv')
df = df.drop(['Unnamed: 0'], axis=1)
df.head()

# %%
df.describe().T

# %%
# there are diamonds with no height!
df = df.drop(df[df['z'] == 0].index)
len(df)

# %%
fig, ax = plt.subplots(1, 2, figsize=(12, 4))
df['price'].hist(ax=ax[0], bins=40)
np.log(df['price']).hist(ax=ax[1], bins=40)

# %%
cut_map = {'Fair': 0, 'Good': 1, 'Very Good': 2, 'Premium': 3, 'Ideal': 4}
clarity_map = {c: i for i, c in enumerate(['SI2', 'SI1', 'VS2', 'VS1', 'VVS1', 'IF'])}
df['cut'] = df['cut'].map(cut_map)
df['clarity'] = df['clarity'].map(clarity_map)
df['color'] = df['color'].apply(lambda c: ord('J') - ord(c))

# %%
df['volume'] = df['x'] * df['y'] * df['z']
df = df.drop(columns=['x', 'y', 'z'])

# %%
df['price'] = np.log1p(df['price'])

# %%
features = ['carat', 'cut', 'color', 'clarity', 'depth', 'table', 'volume']
X, y = df[features], df['price']
X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=.2, random_state=123)

# %%
rf = RandomForestRegressor(n_estimators=60, min_samples_leaf=2, random_state=123)
rf.fit(X_train, y_train)

# %%
pred = rf.predict(X_val)
print('R2 (log)', r2_score(y_val, pred))
print('RMSE (log)', np.sqrt(mean_squared_error(y_val, pred)))

# %%
print('MAE in dollars', mean_absolute_error(np.expm1(y_val), np.expm1(pred)))

# %%
pd.Series(rf.feature_importances_, index=features).sort_values().plot.barh()
